import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../../src/adapters/compute/inline.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../../../../src/base/units.ts';
import type { FactStore } from '../../../../src/ports/statement-log.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { Pace } from '../../../../src/services/pace.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import { BadPacks } from '../../../../src/services/repair/bad-packs.ts';
import { RepairKeeper } from '../../../../src/services/repair/repair-keeper.ts';
import { RepairReads } from '../../../../src/services/repair/repair-reads.ts';
import { RepairView } from '../../../../src/services/repair/repair-view.ts';
import { ShardRebuilder } from '../../../../src/services/repair/shard-rebuilder.ts';
import { everybodyStays } from '../../../../src/services/standing.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';
import { MemoryStepStore } from '../../../support/memory-fence-store.ts';

let cluster: BackupCluster;
const lost = new Set<string>();
/** Facts read by the host that is watched, and how long each of them takes there. */
let factsRead: number;
let factMs: number;
let addedMs: number;

beforeEach(async () => {
  lost.clear();
  [factsRead, factMs, addedMs] = [0, 0, 0];
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
});

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

async function watched(at: BackupSite): Promise<RepairKeeper> {
  const { ledger, peers, network, shards, storage, logger: log } = at;
  const { store } = shards;
  const clock = {
    nowMs: () => at.clock.nowMs(),
    monotonicMs: () => at.clock.monotonicMs() + addedMs,
    sleep: async () => {},
  };
  const facts: FactStore = {
    get: (hash) => {
      factsRead++;
      addedMs += factMs;
      return at.facts.get(hash);
    },
    has: (hash) => at.facts.has(hash),
    put: (...fact) => at.facts.put(...fact),
  };
  const standing = { ...everybodyStays, isLost: (name: string) => lost.has(name) };
  const shared = { ledger, facts, peers, clock, network, self: at.agent.agentKey, log, standing };
  const reading = { store, pace: new Pace(clock, () => 0), repairReads: new RepairReads(clock) };
  const records = new MemoryStepStore();
  return new RepairKeeper({
    ...{ ...shared, store, storage, records, isEnabled: true },
    view: new RepairView({ ...shared, isDiscarded: () => false }),
    rebuilder: new ShardRebuilder({ ...shared, ...reading, compute: inlineCompute() }),
    badPacks: await BadPacks.read(records),
    alarms: { raise: async () => {} },
  });
}

/** Shard i of the pack at site i, as many as are placed: all. */
async function backUp(
  pack: WrittenPack,
  placed = pack.entry.k + pack.entry.m,
): Promise<ManifestRecord> {
  const assignments = Array.from({ length: placed }, (_, index) => ({
    index,
    agent: site(index).agent.agentKey,
    site: `site-${index}`,
  }));
  await site(0).distributor.place(pack, home.id, assignments);
  const manifest = await prepareManifest(site(0), [pack.entry]);
  const { record } = await site(0).committer.commit(manifest);
  await cluster.sync();
  return record;
}

/** Rounds as often as an agent has them. @returns facts that they have read */
async function rounds(keeper: RepairKeeper, ms: number): Promise<number> {
  const before = factsRead;
  for (let passed = 0; passed < ms; passed += 15 * secondMs) {
    await cluster.clock.advance(15 * secondMs);
    await keeper.round();
  }
  return factsRead - before;
}

async function lose(i: number): Promise<void> {
  cluster.isolate(i);
  await cluster.clock.advance(1000);
  lost.add(`site-${i}`);
}

describe('a repair round', () => {
  test('reads no list and no word again while nothing has changed', async () => {
    await backUp(await writtenPack(1, { k: 4, m: 2 }));
    const keeper = await watched(site(3));
    await keeper.round();
    expect(factsRead).toBeGreaterThan(0);
    expect(await rounds(keeper, 2 * hourMs)).toBe(0);
  });

  test('reads nothing while what is missing has to wait, and is there when its time has come', async () => {
    const pack = await writtenPack(1, { k: 2, m: 3 });
    const record = await backUp(pack);
    const keeper = await watched(site(5));
    await keeper.round();
    await rounds(keeper, 3 * minuteMs);
    await site(4).shards.store.remove(pack.entry.pack, 4);
    await site(4).storage.sign(record);
    await cluster.sync();
    await rounds(keeper, minuteMs);
    expect(keeper.state.order.waiting).toHaveLength(1);
    expect(await rounds(keeper, 2 * hourMs)).toBe(0);
    expect(keeper.state.made).toBe(0);
    await cluster.clock.advance(dayMs - 2 * hourMs);
    // Each site that has nothing of it yet may be the first.
    await rounds(keeper, 5 * minuteMs);
    expect(site(5).shards.store.indexes(pack.entry.pack)).toEqual([4]);
  });

  test('reads nothing while nobody has what it needs, and makes it when somebody comes back', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp(pack);
    const keeper = await watched(site(5));
    await keeper.round();
    await lose(3);
    for (const i of [0, 1]) cluster.isolate(i);
    await rounds(keeper, 10 * minuteMs);
    const { failed } = keeper.state;
    expect(failed).toBeGreaterThan(0);
    expect(await rounds(keeper, 2 * hourMs)).toBe(0);
    expect(keeper.state.failed - failed).toBeLessThan(6);
    await cluster.meet();
    await rounds(keeper, minuteMs);
    expect(site(5).shards.store.indexes(pack.entry.pack)).toEqual([3]);
  });

  test('acts on what somebody else has seen meanwhile', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp(pack);
    const keeper = await watched(site(5));
    await keeper.round();
    await cluster.clock.advance(3 * minuteMs);
    await lose(3);
    await keeper.look();
    await rounds(keeper, minuteMs);
    expect(site(5).shards.store.indexes(pack.entry.pack)).toEqual([3]);
  });

  test('waits no longer for a delivery because it has been started again', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp(pack, 4);
    const before = await watched(site(5));
    await before.round();
    expect(before.state.judgement?.awaited.size).toBe(1);
    await cluster.clock.advance(3 * minuteMs);
    const after = await watched(site(5));
    await after.round();
    expect(after.state.judgement?.awaited.size).toBe(0);
    expect(after.state.order.due).toHaveLength(1);
    await rounds(after, 5 * minuteMs);
    expect(site(5).shards.store.indexes(pack.entry.pack)).toEqual([4]);
  });

  test('rests after a look that took long, unless it is asked for', async () => {
    await backUp(await writtenPack(1, { k: 4, m: 2 }));
    const keeper = await watched(site(3));
    factMs = 10 * secondMs;
    await keeper.round();
    const seen = factsRead;
    await backUp(await writtenPack(2, { k: 4, m: 2 }));
    expect(await rounds(keeper, 5 * minuteMs)).toBe(0);
    keeper.begin();
    await keeper.round();
    expect(factsRead).toBeGreaterThan(seen);
    expect(await rounds(keeper, hourMs)).toBe(0);
  });

  test('has what arrives later of a list that was missing', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    const manifest = await prepareManifest(site(0), [pack.entry]);
    const hidden = site(3).facts;
    const { has, get } = hidden;
    let isHere = false;
    hidden.has = async (hash) => isHere && has.call(hidden, hash);
    hidden.get = async (hash) => (isHere ? get.call(hidden, hash) : undefined);
    await site(0).committer.commit(manifest);
    await cluster.sync();
    const keeper = await watched(site(3));
    await keeper.round();
    expect(keeper.state.judgement?.survey.missingLists).toBe(1);
    expect(await rounds(keeper, minuteMs)).toBe(0);
    isHere = true;
    await rounds(keeper, minuteMs);
    expect(keeper.state.judgement?.survey.missingLists).toBe(0);
  });
});
