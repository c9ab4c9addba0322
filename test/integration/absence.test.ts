import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, messages, summaryOf, told, until } from '../support/cluster.ts';
import { heldShards } from '../support/held-shards.ts';
import { writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const minuteMs = 60_000;
/** A snapshot this old is no longer its source's alone to deliver, and peers look for such ones now and then. */
const copiedWithinMs = 2 * minuteMs;

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 100, seed: 'absence', sizeMax: 20_000 });
  await cluster.form(fiveSites, { surviveSites: 2 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

function change(text: string): void {
  writeFileSync(join(source, 'changing'), text);
}

async function snapshotIds(site: string): Promise<string[]> {
  return (await cluster.snapshots(site)).map(({ id }) => id);
}

/** The site knows every snapshot that the source knows. */
async function untilItKnowsAll(site: string): Promise<void> {
  await until(`${site} knows all snapshots`, minuteMs, async () => {
    const known = await snapshotIds(site);
    return (await snapshotIds(origin)).every((id) => known.includes(id));
  });
}

describe('a backup while three of five sites are away', () => {
  const away = ['nyc1', 'sfo1', 'sin1'];
  let snapshot: unknown;

  it('is not committed, says which sites are missing, and keeps what it could not deliver', async () => {
    change('before they left');
    await cluster.backup(origin, [source]);
    for (const site of away) await cluster.kill(site);
    change('while they are away');
    const outcome = await cluster.run(['backup', source, '--json'], origin);
    expect(outcome.code, told(outcome)).toBe(22);
    const summary = summaryOf(outcome);
    expect(summary).toMatchObject({ missing_sites: away, files_changed: 1 });
    expect(summary.state).not.toBe('committed');
    expect(messages(outcome.err).at(-1)).toMatchObject({ code: 'not-committed', exit_code: 22 });
    snapshot = summary.snapshot_id;
  });

  it('leaves the status with the last committed snapshot and what the new one waits for', async () => {
    const { out } = await cluster.expect(21, ['status', '--json'], origin);
    const dataset = messages(out).find(({ message_type }) => message_type === 'dataset');
    expect(dataset).toMatchObject({
      snapshots: 2,
      restorable: { is_restorable_now: false, sites_may_fail: -1 },
      pending: { snapshot, missing: away },
    });
  });

  it('becomes committed by itself when they return', async () => {
    for (const site of away) await cluster.start(site);
    await until('the snapshot is committed and at all sites', minuteMs, async () => {
      const [dataset] = (await cluster.api(origin).status()).datasets;
      const { snapshot: newest, sitesMayFail } = dataset?.restorable ?? {};
      return newest === snapshot && sitesMayFail === 2 && dataset?.pending === undefined;
    });
    const { out } = await cluster.expect(0, ['snapshots', '--json'], 'sin1');
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ id: snapshot, state: 'committed' }),
    );
    for (const site of [origin, 'fra1']) await cluster.kill(site);
    const target = join(cluster.root, 'restored');
    const restored = await cluster.restore('latest', target, 'sin1');
    expect(restored.code, told(restored)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
    rmSync(target, { recursive: true });
    for (const site of [origin, 'fra1']) await cluster.start(site);
    await cluster.untilConnected();
  });
});

describe('a member that joins after several snapshots', () => {
  const late = { name: 'lon1', region: 'eu' };
  let joinedMs: number;
  let before: string[];

  it('knows all of them within a minute', async () => {
    for (let i = 0; (await snapshotIds(origin)).length < 5; i++) {
      change(`version ${i}`);
      await cluster.backup(origin, [source]);
    }
    before = await snapshotIds(origin);
    await cluster.join(late.name, await cluster.invite(late, { through: origin }));
    await cluster.start(late.name);
    joinedMs = performance.now();
    await untilItKnowsAll(late.name);
    // Receipts, which say how safe they are, come after the manifests.
    await until('it knows that all are committed', minuteMs, async () => {
      const known = await cluster.snapshots(late.name);
      return known.every(({ state }) => state === 'committed');
    });
    expect(await snapshotIds(late.name)).toEqual(before);
  });

  it('does not stand in the way of what happens meanwhile: a peer that missed ten snapshots learns them', async () => {
    await cluster.kill('sfo1');
    for (let i = 0; i < 10; i++) {
      change(`quick ${i}`);
      await cluster.backup(origin, [source], 22);
    }
    await cluster.start('sfo1');
    await untilItKnowsAll('sfo1');
    expect(await snapshotIds('sfo1')).toHaveLength(15);
    await until('everything that was owed to it is there', minuteMs, async () => {
      const outcome = await cluster.run(['check', '--json'], origin);
      return summaryOf(outcome).bad_shards === 0 && (await isSafeFor(origin, 2));
    });
  });

  it('has copies of the metadata later, of every snapshot from before it came', async () => {
    const left = copiedWithinMs - (performance.now() - joinedMs);
    await until('it holds all metadata', Math.max(left, 10_000), () => hasAllMetadata(late.name));
    const { out } = await cluster.expect(0, ['status', '--json'], late.name);
    const dataset = messages(out).find(({ message_type }) => message_type === 'dataset');
    expect(dataset).toMatchObject({ restorable: { is_restorable_now: true, sites_may_fail: 2 } });
  });
});

async function isSafeFor(site: string, sites: number): Promise<boolean> {
  const [dataset] = (await cluster.api(site).status()).datasets;
  return dataset?.restorable?.sitesMayFail === sites;
}

/** It holds what the source holds. */
function hasAllMetadata(site: string): Promise<boolean> {
  const metadataOf = (name: string): string[] =>
    heldShards(cluster.state(name))
      .filter(({ type }) => type === 'metadata')
      .map(({ pack }) => pack);
  const held = new Set(metadataOf(site));
  return Promise.resolve(metadataOf(origin).every((pack) => held.has(pack)));
}
