import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { PackId } from '../../../src/core/ids.ts';
import type { DataSubset } from '../../../src/core/policy/data-subset.ts';
import type { CheckProgress, CheckResult, ShardProblem } from '../../../src/services/check.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../support/backup-site.ts';
import { flipBit, shardFile } from '../../support/shard-files.ts';

let cluster: BackupCluster;
let record: ManifestRecord;
let packs: PackId[];
let seed = 0;

beforeAll(async () => {
  cluster = await BackupCluster.open(4, { surviveSites: 1 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

/** A snapshot of its own for each test: three data shards and one of parity, metadata at each site. */
beforeEach(async () => {
  const data = await writtenPack(++seed, { k: 3, m: 1 });
  const metadata = await writtenPack(++seed, { type: 'metadata', size: 9_000 });
  packs = [data.entry.pack, metadata.entry.pack];
  for (const pack of [data, metadata]) {
    const assignments = cluster.sites.map(({ agent }, i) => ({
      index: pack.entry.k === 1 ? 0 : i,
      agent: agent.agentKey,
      site: `site-${i}`,
    }));
    await site(0).distributor.place(pack, home.id, assignments);
  }
  const manifest = await prepareManifest(site(0), [data.entry, metadata.entry]);
  ({ record } = await site(0).committer.commit(manifest));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await cluster.meet();
});

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

async function check(
  options: { readData?: boolean; subset?: DataSubset; from?: number; signal?: AbortSignal } = {},
): Promise<{ result: CheckResult; problems: ShardProblem[]; progress: CheckProgress[] }> {
  const { readData = false, from = 0, signal = new AbortController().signal } = options;
  const progress: CheckProgress[] = [];
  const { subset } = options;
  const request = { readData, records: [record], ...(subset !== undefined && { subset }) };
  for await (const one of site(from).check.run(request, signal)) progress.push(one);
  const last = progress.at(-1);
  if (last?.kind !== 'done') throw new Error('a check ends with its result');
  const problems = progress.flatMap((one) => (one.kind === 'problem' ? [one.problem] : []));
  return { result: last.result, problems, progress };
}

function damage(i: number, pack = packs[0] as PackId, index = i): void {
  flipBit(shardFile(site(i).directory, { pack, index }), 20_000);
}

async function remove(i: number, pack = packs[0] as PackId, index = i): Promise<void> {
  await site(i).shards.store.remove(pack, index);
}

describe('a check', () => {
  test('of a part reads that part alone, and asks for the rest; all parts read all', async () => {
    damage(0);
    const found: number[] = [];
    for (const part of [1, 2, 3]) {
      const { result, problems } = await check({ readData: true, subset: { part, of: 3 } });
      expect(result.packs).toBe(2);
      found.push(problems.length);
    }
    expect(found.toSorted()).toEqual([0, 0, 1]);
    const { problems } = await check({ readData: true, subset: { share: 1 } });
    expect(problems).toHaveLength(1);
  });

  test('of a whole snapshot finds nothing, reading or not', async () => {
    for (const readData of [false, true]) {
      const { result, problems } = await check({ readData });
      expect(problems).toEqual([]);
      expect(result).toMatchObject({
        snapshots: 1,
        packs: 2,
        packsRead: readData ? 2 : 0,
        shards: 8,
        badShards: 0,
        unrecoverablePacks: 0,
        degradedPacks: 0,
        peersAsked: 4,
        peersUnreachable: [],
      });
    }
  });

  test('reports a shard that a peer has signed for and lacks', async () => {
    await remove(2);
    const { result, problems } = await check();
    expect(problems).toEqual([
      {
        peer: 'site-2-host',
        site: 'site-2',
        pack: packs[0],
        index: 2,
        problem: expect.stringContaining('missing'),
        dataset: 'home',
      },
    ]);
    expect(result).toMatchObject({
      shards: 7,
      badShards: 1,
      degradedPacks: 1,
      unrecoverablePacks: 0,
    });
  });

  test('finds damage when it reads, and only then, here and elsewhere', async () => {
    damage(0);
    damage(3);
    expect((await check()).result.badShards).toBe(0);
    const { result, problems } = await check({ readData: true });
    expect(problems.map(({ site: at, index }) => [at, index]).sort()).toEqual([
      ['site-0', 0],
      ['site-3', 3],
    ]);
    expect(problems.every(({ problem }) => /damaged|leaf/.test(problem))).toBe(true);
    expect(result).toMatchObject({ badShards: 2, unrecoverablePacks: 1, degradedPacks: 0 });
    // What was found bad has been put aside: from now on it is missing.
    expect((await check()).result).toMatchObject({ badShards: 2, unrecoverablePacks: 1 });
  });

  test('counts a pack as lost only when fewer than k good shards are left', async () => {
    await remove(1);
    expect((await check()).result).toMatchObject({ unrecoverablePacks: 0, degradedPacks: 1 });
    await remove(2);
    expect((await check()).result).toMatchObject({ unrecoverablePacks: 1, degradedPacks: 0 });
    for (let i = 0; i < 4; i++) await remove(i, packs[1], 0);
    expect((await check()).result).toMatchObject({ unrecoverablePacks: 2, badShards: 6 });
  });

  test('takes a pack for below policy when it outlives less than repairs see to, and not before', async () => {
    // Copies at all four sites are more than the policy asks for: so many are kept where they cost nothing.
    const { surviveSites } = site(0).ledger.roster.policy;
    const spare = 3 - surviveSites;
    for (let i = 0; i < spare; i++) await remove(3 - i, packs[1], 0);
    expect((await check()).result).toMatchObject({ badShards: spare, degradedPacks: 0 });
    await remove(3 - spare, packs[1], 0);
    expect((await check()).result).toMatchObject({ badShards: spare + 1, degradedPacks: 1 });
  });

  test('takes nobody to have lost anything for being away, and names him', async () => {
    cluster.isolate(3);
    const { result, problems } = await check();
    expect(problems).toEqual([]);
    expect(result).toMatchObject({
      shards: 6,
      badShards: 0,
      peersAsked: 3,
      peersUnreachable: ['site-3-host'],
      unrecoverablePacks: 0,
    });
    cluster.isolate(2);
    expect((await check()).result).toMatchObject({
      peersUnreachable: ['site-2-host', 'site-3-host'],
      unrecoverablePacks: 1,
    });
  });

  test('goes on without a peer that does not answer as it should', async () => {
    for (const code of ['timeout', 'peer-refused', 'bad-encoding', 'not-permitted'] as const) {
      vi.spyOn(site(2).storage, 'inspect').mockRejectedValue(new HoldfastError(code, 'no'));
      const { result, problems } = await check();
      expect(problems).toEqual([]);
      expect(result).toMatchObject({ peersAsked: 3, peersUnreachable: ['site-2-host'] });
    }
  });

  test('believes no shard that the code does not have or that nobody asked for', async () => {
    await remove(1);
    await remove(2);
    const [data] = packs as [PackId];
    const other = 'cd'.repeat(32) as PackId;
    vi.spyOn(site(2).storage, 'inspect').mockResolvedValue([
      { pack: data, index: 7, problem: undefined },
      { pack: data, index: 3, problem: 'not what\u001b[2J it was' },
      { pack: other, index: 0, problem: undefined },
      { pack: other, index: 1, problem: 'damaged' },
    ]);
    const { result, problems } = await check();
    expect(result).toMatchObject({ unrecoverablePacks: 1, shards: 6 });
    expect(problems.map(({ pack }) => pack)).not.toContain(other);
    expect(problems.map(({ problem }) => problem)).toContain('not what\\x1b[2J it was');
  });

  test('ends when it is told to', async () => {
    const stop = new AbortController();
    stop.abort(new HoldfastError('interrupted', 'stopped'));
    await expect(check({ signal: stop.signal })).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('says so when the list of packs is not known here', async () => {
    vi.spyOn(site(0).view, 'packs').mockResolvedValue(undefined);
    await expect(check()).rejects.toMatchObject({ code: 'not-found' });
  });

  test('tells how far it is, up to the end', async () => {
    const { progress } = await check();
    const steps = progress.flatMap((one) => (one.kind === 'status' ? [one] : []));
    expect(steps.at(-1)).toMatchObject({ packsDone: 8, packsTotal: 8 });
  });
});
