import { mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, messages, summaryOf, told } from '../support/cluster.ts';
import { type HeldShard, heldShards } from '../support/held-shards.ts';
import { writeFiles } from '../support/sample-files.ts';
import { flipBit, swapFiles } from '../support/shard-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const parts = ['first', 'second', 'third'] as const;
type Part = (typeof parts)[number];
const names: Partial<Record<Part, string[]>> = {};
/** The data pack of each part: each was backed up on its own. */
const packs: Partial<Record<Part, string>> = {};

beforeAll(async () => {
  // What is damaged here stays so until the tests have looked at it.
  for (const { name } of fiveSites) cluster.configs[name] = { repair: { enabled: false } };
  await cluster.form(fiveSites, { surviveSites: 2 });
  for (const part of parts) {
    mkdirSync(join(source, part), { recursive: true });
    const files = writeFiles(join(source, part), { count: 60, seed: part, sizeMax: 20_000 });
    names[part] = files.map((name) => join(part, name));
    await cluster.backup(origin, [source]);
    const data = heldShards(cluster.state(origin)).filter(({ type }) => type === 'data');
    packs[part] = data.find(({ pack }) => !Object.values(packs).includes(pack))?.pack ?? '';
  }
});

afterAll(() => cluster[Symbol.asyncDispose]());

function shardAt(site: string, part: Part): HeldShard {
  const shard = heldShards(cluster.state(site)).find(({ pack }) => pack === packs[part]);
  if (shard === undefined) throw new Error(`${site} holds no shard of the ${part} part`);
  return shard;
}

async function restore(): Promise<{ code: number; err: string; differences: string[] }> {
  const target = join(cluster.root, 'restored');
  const outcome = await cluster.restore('latest', target, cluster.running[0] ?? '');
  const differences = await compareTrees(source, join(target, source));
  rmSync(target, { recursive: true });
  return { code: outcome.code, err: outcome.err, differences };
}

describe('an index that is lost at a storage peer', () => {
  it('is rebuilt from the shard files, and the peer serves them again', async () => {
    const peer = 'sin1';
    const before = heldShards(cluster.state(peer)).length;
    expect(await cluster.stop(peer)).toBe(0);
    rmSync(join(cluster.state(peer), 'index'), { recursive: true });
    const outcome = await cluster.expect(0, ['repair', '--index', '--json'], peer);
    expect(summaryOf(outcome)).toMatchObject({ shards: before, quarantined: 0 });
    await cluster.start(peer);
    const lost = [origin, 'fra1'];
    for (const site of lost) await cluster.kill(site);
    expect(await restore(), 'without its shards nothing could be restored').toMatchObject({
      code: 0,
      differences: [],
    });
    for (const site of lost) await cluster.start(site);
    await cluster.untilConnected();
  });
});

describe('damage that the code outlives', () => {
  const damage: { at: string; part: Part; problem: RegExp; inflict: (shard: HeldShard) => void }[] =
    [
      {
        at: 'fra1',
        part: 'first',
        problem: /do not match their hash/,
        inflict: ({ path, offset }) => flipBit(path, offset + 100_000),
      },
      {
        at: 'nyc1',
        part: 'first',
        problem: /ends early|bytes/,
        inflict: ({ path, offset }) => truncateSync(path, offset + 70_000),
      },
      {
        at: 'sin1',
        part: 'second',
        problem: /not held|missing/,
        inflict: ({ path }) => rmSync(path),
      },
    ];
  const swappedAt = 'sfo1';
  /** Pack and index of each shard that was damaged, by the site's name. */
  const expected: { peer: string; pack: string; index: number; problem: RegExp }[] = [];

  it('is found and named shard by shard by a check that reads the data', async () => {
    for (const { at, part, problem, inflict } of damage) {
      const shard = shardAt(at, part);
      inflict(shard);
      const { pack, index } = shard;
      expected.push({ peer: at, pack, index, problem });
    }
    const swapped = [shardAt(swappedAt, 'second'), shardAt(swappedAt, 'third')] as const;
    swapFiles(swapped[0].path, swapped[1].path);
    for (const { pack, index } of swapped) {
      expected.push({ peer: swappedAt, pack, index, problem: /holds shard \d+ of pack/ });
    }
    const outcome = await cluster.run(['check', '--read-data', '--json'], 'fra1');
    expect(outcome.code, told(outcome)).toBe(22);
    expect(summaryOf(outcome)).toMatchObject({
      bad_shards: expected.length,
      unrecoverable_packs: 0,
      peers_unreachable: [],
    });
    const named = messages(outcome.err).filter(({ during }) => during === 'check');
    expect(named).toHaveLength(expected.length);
    for (const { problem, ...one } of expected) {
      const found = named.find(({ peer, pack }) => peer === one.peer && pack === one.pack);
      expect(found, `${one.peer} ${one.pack}`).toMatchObject(one);
      // Hosts that have just started ask others for a leaf: then the peer itself has seen it, and put it aside.
      const words = isAside(one) ? new RegExp(`${problem.source}|^missing, though a`) : problem;
      expect(found?.problem).toMatch(words);
    }
  });

  function isAside({ peer, pack, index }: { peer: string; pack: string; index: number }): boolean {
    const aside = readdirSync(join(cluster.state(peer), 'shards', 'quarantine'));
    return aside.some((name) => name.startsWith(`${pack}.${index}.`));
  }

  it('is not served: what was damaged before and what nobody has noticed yet restore exactly', async () => {
    const unnoticed = shardAt('nyc1', 'third');
    flipBit(unnoticed.path, unnoticed.offset + 5);
    expect(await restore()).toMatchObject({ code: 0, differences: [] });
  });

  it('is still known to a check that reads nothing', async () => {
    const outcome = await cluster.run(['check', '--json'], origin);
    expect(outcome.code, told(outcome)).toBe(22);
    expect(summaryOf(outcome).bad_shards).toBeGreaterThanOrEqual(expected.length);
  });
});

describe('more damage than the code outlives', () => {
  it('costs the files of that pack only, and a restore names each of them', async () => {
    rmSync(shardAt(origin, 'first').path);
    const { code, err, differences } = await restore();
    expect(code).toBe(21);
    const named = messages(err).filter((message) => message.is_lost === true);
    const lost = named.map((message) => relative(source, String(message.path)));
    // Not all of them: what lies wholly in a data shard that is left needs no other.
    expect(lost.length).toBeGreaterThan(0);
    expect(names.first).toEqual(expect.arrayContaining(lost));
    expect(differences.toSorted()).toEqual(
      lost.map((path) => `./${path}: is only in the first`).toSorted(),
    );
  });

  it('makes a check say that a pack cannot be rebuilt', async () => {
    const outcome = await cluster.run(['check', '--read-data', '--json'], origin);
    expect(outcome.code, told(outcome)).toBe(21);
    expect(summaryOf(outcome)).toMatchObject({ unrecoverable_packs: 1 });
  });

  it('keeps the next backup from claiming to be committed', async () => {
    const outcome = await cluster.run(['backup', source, '--json'], origin);
    expect(outcome.code, told(outcome)).toBe(22);
    expect(summaryOf(outcome).state).toBe('staged');
  });

  it('is made good by the source, which stores anew what was lost', async () => {
    const outcome = await cluster.run(['backup', source, '--json'], origin);
    // The other two lie at three sites only by now, which a commit does not count as safe either. No file has changed.
    const damaged = parts.flatMap((part) => names[part] ?? []);
    const summary = summaryOf(outcome);
    expect(summary, told(outcome)).toMatchObject({
      ...{ state: 'committed', files_changed: 0, files_unmodified: damaged.length },
      total_bytes_read: summary.total_bytes_processed,
    });
    expect(summary.data_added).toBeGreaterThanOrEqual(Number(summary.total_bytes_processed));
    expect(await restore()).toMatchObject({ code: 0, differences: [] });
  });
});

describe('an index that is lost at a source', () => {
  it('costs one full read: the next backup stores everything anew, and restores', async () => {
    await cluster.stop(origin);
    rmSync(join(cluster.state(origin), 'index'), { recursive: true });
    await cluster.expect(0, ['repair', '--index'], origin);
    await cluster.start(origin);
    await cluster.untilConnected();
    const summary = await cluster.backup(origin, [source]);
    expect(summary).toMatchObject({ state: 'committed', missing_sites: [], files_unmodified: 0 });
    for (const site of ['nyc1', 'sfo1']) await cluster.kill(site);
    expect(await restore()).toMatchObject({ code: 0, differences: [] });
  });
});
