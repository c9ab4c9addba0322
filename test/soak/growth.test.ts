import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import type { DatasetStatus } from '../../src/agent/api.ts';
import { Cluster, pause, type Site, summaryOf, told, until } from '../support/cluster.ts';
import { addPatiently, restorePatiently } from './patience.ts';

const cluster = new Cluster();
/** On a small machine: GROWTH_SITES=5 npm run growth. */
const top = Number(process.env.GROWTH_SITES ?? 8);
const regions = ['eu', 'us', 'asia'] as const;
const sites: readonly Site[] = Array.from({ length: top }, (_, i) => ({
  name: `s${i + 1}`,
  region: regions[i % regions.length] as string,
}));
const origin = 's1';
const source = join(cluster.root, 'source');
const steady = join(source, 'steady');
const surviveSites = 2;
const settleMs = 900_000;
const steps = [2, 3, 5, 8].filter((count) => count < top);

/** What the work in the background has done, and what was not as promised. */
const counts = { backups: 0, restores: 0, restoresAgain: 0, looks: 0, recoded: 0 };
const problems: string[] = [];
/** By snapshot: the most sites that it was seen to outlive, of those that the policy asks for. */
const promised = new Map<string, number>();
/** Storage sites that stay. */
let siteCount = 1;
let isOver = false;
let work: Promise<void>[] = [];

beforeAll(async () => {
  cluster.patienceMs = 900_000;
  mkdirSync(steady, { recursive: true });
  for (let i = 0; i < 20; i++) writeFileSync(join(steady, `${i}`), randomBytes(2 ** 18));
  const policy = join(cluster.root, 'policy.json');
  const rule = { match: '*', retention: { keepLast: 3 } };
  writeFileSync(policy, JSON.stringify({ survive: { sites: surviveSites }, datasets: [rule] }));
  const founding = ['--policy', policy];
  await cluster.found(sites[0] as Site, { surviveSites, founding });
  await cluster.start(origin);
  await backUp();
  work = [again(backUp, 15_000), again(restore, 10_000), again(look, 2000)];
});

afterAll(async () => {
  isOver = true;
  await Promise.allSettled(work);
  await cluster[Symbol.asyncDispose]();
});

async function again(job: () => Promise<void>, restMs: number): Promise<void> {
  while (!isOver) {
    await job().catch((error: unknown) => problems.push(String(error)));
    await pause(restMs);
  }
}

async function backUp(): Promise<void> {
  writeFileSync(join(source, 'moving'), randomBytes(2 ** 18));
  const outcome = await cluster.run(['backup', source, '--dataset', 'd', '--json'], origin);
  // Below policy for a while when a site has just joined: committed all the same, as safe as before.
  if (![0, 22].includes(outcome.code)) problems.push(told(outcome));
  else counts.recoded += Number(summaryOf(outcome).packs_recoded ?? 0);
  counts.backups++;
}

/** Through whichever site; what was never changed must come back as it is. */
async function restore(): Promise<void> {
  const running = sites.slice(0, siteCount).map(({ name }) => name);
  const through = running[counts.restores++ % running.length] as string;
  const target = join(cluster.root, `restored-${counts.restores}`);
  const outcome = await restorePatiently(cluster, {
    ...{ target, through, onAgain: () => counts.restoresAgain++ },
  });
  // It may have left meanwhile, and the restore with it.
  if (!sites.slice(0, siteCount).some(({ name }) => name === through)) return;
  if (outcome.code !== 0) problems.push(`through ${through}: ${told(outcome)}`);
  else {
    const differences = await compareTrees(steady, join(target, steady));
    if (differences.length > 0) problems.push(`restored otherwise: ${differences[0]}`);
  }
  rmSync(target, { recursive: true, force: true });
}

/** No committed snapshot ever outlives less than it once did, but for sites that are not there any more. */
async function look(): Promise<void> {
  const [dataset] = (await cluster.api(origin).status()).datasets as [DatasetStatus];
  const { restorable } = dataset;
  counts.looks++;
  if (restorable === undefined) return;
  const { snapshot, isRestorableNow } = restorable;
  // By all signed words: a host that cannot be reached for a moment has lost nothing.
  const sitesMayFail = Number(/^survives any (\d+) site/.exec(dataset.words)?.[1] ?? 0);
  const before = promised.get(snapshot) ?? 0;
  if (!isRestorableNow) problems.push(`${snapshot} cannot be restored`);
  if (sitesMayFail < Math.min(before, siteCount - 1)) {
    problems.push(`${snapshot} outlives ${sitesMayFail}, and has outlived ${before}`);
  }
  promised.set(snapshot, Math.max(before, Math.min(sitesMayFail, surviveSites)));
}

/** They join one after the other. */
async function growTo(count: number): Promise<void> {
  for (const site of sites.slice(siteCount, count)) {
    await addPatiently(cluster, site, origin);
    // Whoever has just joined has heard of no snapshot yet.
    const { name } = site;
    await until(
      `${name} knows snapshots`,
      settleMs,
      async () => (await cluster.snapshots(name)).length > 0,
    );
  }
  siteCount = count;
  // Of three sites the third gets its copies by repair, which waits some minutes for the source.
  const spare = count > 3 ? surviveSites : 1;
  await until(`any ${spare} of ${count} sites may fail`, settleMs, async () => {
    const [dataset] = (await cluster.api(origin).status()).datasets as [DatasetStatus];
    const isAll = dataset.oldCode === undefined && dataset.restorable?.state === 'committed';
    return isAll && (dataset.restorable?.sitesMayFail ?? -1) >= spare;
  });
  console.log(`${count} sites`, counts, problems);
}

async function leave(name: string): Promise<void> {
  siteCount--;
  await cluster.expect(0, ['peer', 'drain', name], origin);
  await cluster.stop(name);
  await cluster.expect(0, ['peer', 'remove', name, '--reason', 'sold', '--yes'], origin);
  console.log(`without ${name}`, counts, problems);
}

describe('a cluster in use', () => {
  it.each([...steps, top])('grows to %i sites, and codes old packs for them', async (count) => {
    await growTo(count);
    expect(problems).toEqual([]);
  });

  it('shrinks to three, one site after the other', async () => {
    for (const { name } of sites.slice(3).reverse()) await leave(name);
    expect(problems).toEqual([]);
  });

  it('has lost no restore and no promise all the while', async () => {
    isOver = true;
    await Promise.all(work);
    await look();
    expect(problems).toEqual([]);
    expect(counts.recoded).toBeGreaterThan(0);
    expect(counts.restores).toBeGreaterThan(10);
    const loss = await cluster.api(origin).forecastLoss({ sites: [] });
    expect(loss.datasets[0]).toMatchObject({ lostSnapshots: 0, sitesMayFail: 2 });
    console.log(counts);
  });
});
