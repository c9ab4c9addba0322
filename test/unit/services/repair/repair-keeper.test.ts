import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../../src/adapters/compute/inline.ts';
import { minuteMs } from '../../../../src/base/units.ts';
import { leafHashes, merkleRoot } from '../../../../src/core/coding/merkle.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { packIdOf, shardSizeOf } from '../../../../src/core/format/shard.ts';
import { limits } from '../../../../src/core/limits.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { Pace } from '../../../../src/services/pace.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import { BadPacks } from '../../../../src/services/repair/bad-packs.ts';
import { RepairKeeper } from '../../../../src/services/repair/repair-keeper.ts';
import { RepairReads } from '../../../../src/services/repair/repair-reads.ts';
import { leaseMs } from '../../../../src/services/repair/repair-turns.ts';
import { RepairView } from '../../../../src/services/repair/repair-view.ts';
import { ShardRebuilder } from '../../../../src/services/repair/shard-rebuilder.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';
import { MemoryStepStore } from '../../../support/memory-fence-store.ts';

let cluster: BackupCluster;
let keepers: RepairKeeper[];
let alarms: Alarm[];
const lost = new Set<string>();
const leaving = new Set<string>();

beforeEach(async () => {
  lost.clear();
  leaving.clear();
  alarms = [];
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
  keepers = await Promise.all(cluster.sites.map(keeperOf));
});

afterEach(() => cluster[Symbol.asyncDispose]());

async function keeperOf(at: BackupSite): Promise<RepairKeeper> {
  const { ledger, facts, peers, clock, network, shards, storage, logger: log } = at;
  const { agentKey: self } = at.agent;
  const { store } = shards;
  const standing = {
    isLost: (name: string) => lost.has(name),
    isLeaving: (member: { site: string }) => leaving.has(member.site),
    isFailing: () => false,
  };
  const shared = { ledger, facts, peers, clock, network, self, log, standing };
  const view = new RepairView({ ...shared, isDiscarded: () => false });
  const pace = new Pace(clock, () => 0);
  const repairReads = new RepairReads(clock);
  const reading = { ...shared, store, pace, repairReads };
  const rebuilder = new ShardRebuilder({ ...reading, compute: inlineCompute() });
  const badPacks = await BadPacks.read(new MemoryStepStore());
  const raise = async (alarm: Alarm): Promise<void> => void alarms.push(alarm);
  return new RepairKeeper({
    ...shared,
    view,
    store,
    storage,
    rebuilder,
    badPacks,
    records: new MemoryStepStore(),
    isEnabled: true,
    alarms: { raise },
  });
}

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Shard i of each pack at site i; with k = 1 copies at as many sites as there are `copies`. */
async function backUp(packs: readonly WrittenPack[], copies = 3): Promise<ManifestRecord> {
  for (const pack of packs) {
    const { k, m } = pack.entry;
    const count = k === 1 ? copies : k + m;
    const assignments = Array.from({ length: count }, (_, i) => ({
      index: k === 1 ? 0 : i,
      agent: site(i).agent.agentKey,
      site: `site-${i}`,
    }));
    await site(0).distributor.place(pack, home.id, assignments);
  }
  const manifest = await prepareManifest(
    site(0),
    packs.map(({ entry }) => entry),
  );
  const { record } = await site(0).committer.commit(manifest);
  await cluster.sync();
  for (const keeper of keepers) await keeper.look();
  await cluster.clock.advance(3 * minuteMs);
  return record;
}

async function everybodyRepairs(except: readonly number[] = []): Promise<void> {
  for (const [i, keeper] of keepers.entries()) if (!except.includes(i)) await keeper.round();
  await cluster.sync();
}

async function lose(i: number): Promise<void> {
  cluster.isolate(i);
  await cluster.clock.advance(1000);
  lost.add(`site-${i}`);
}

function shardsAt(i: number, { entry }: WrittenPack): readonly number[] {
  return site(i).shards.store.indexes(entry.pack);
}

function made(): number {
  return keepers.reduce((sum, { state }) => sum + state.made, 0);
}

describe('a lost site', () => {
  test('is made good at a site that has no shard yet, by that site, once', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    const record = await backUp([pack]);
    await lose(3);
    await everybodyRepairs([3]);
    expect(shardsAt(5, pack)).toEqual([3]);
    expect(made()).toBe(1);
    expect(await site(5).shards.store.verify(pack.entry.pack, 3)).toBeUndefined();
    const located = await site(1).view.holders(record);
    const holders = located.get(pack.entry.pack)?.holders.filter(({ index }) => index === 3);
    expect(holders?.map((one) => one.site)).toContain('site-5');
    await everybodyRepairs([3]);
    expect(made()).toBe(1);
  });

  test('costs k shards to read for each that is made', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2, size: 600_000 });
    await backUp([pack]);
    await lose(3);
    await everybodyRepairs([3]);
    const shardSize = shardSizeOf({ k: 3, packSize: 600_000 });
    expect(keepers[5]?.state.bytesRead).toBe(3 * shardSize);
  });

  test('is made good with copies where fewer sites are left than shards', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    await backUp([pack]);
    await lose(5);
    for (let i = 0; i < 3; i++) await everybodyRepairs([5]);
    const { tasks } = (await keepers[0]?.look()) ?? { tasks: undefined };
    expect(tasks).toEqual([]);
    const held = [0, 1, 2, 3, 4].flatMap((i) => [...shardsAt(i, pack)]);
    expect(new Set(held)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });

  test('is made good for full copies too', async () => {
    const pack = await writtenPack(1);
    await backUp([pack]);
    await lose(2);
    await everybodyRepairs([2]);
    const copies = [0, 1, 3, 4, 5].filter((i) => shardsAt(i, pack).length > 0);
    expect(copies).toHaveLength(3);
  });

  test('comes back, and what it has again is no harm', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp([pack]);
    await lose(3);
    await everybodyRepairs([3]);
    lost.clear();
    await cluster.meet();
    await everybodyRepairs();
    expect(made()).toBe(1);
    expect([shardsAt(3, pack), shardsAt(5, pack)]).toEqual([[3], [3]]);
  });

  test('is nobody else’s work while the one whose turn it is has its time', async () => {
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await backUp([pack]);
    await lose(2);
    const takers = (await keepers[0]?.look())?.tasks[0]?.takers ?? [];
    const order = takers.map((taker) =>
      cluster.sites.findIndex(({ agent }) => agent.agentKey === taker),
    );
    const [first = -1, second = -1] = order;
    await everybodyRepairs([2, first]);
    expect(made()).toBe(0);
    await cluster.clock.advance(leaseMs);
    await everybodyRepairs([2, first]);
    expect(shardsAt(second, pack)).toEqual([2]);
  });

  test('falls to the next one at once when the first is not there', async () => {
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await backUp([pack]);
    await lose(2);
    const [first] = (await keepers[0]?.look())?.tasks[0]?.takers ?? [];
    const away = cluster.sites.findIndex(({ agent }) => agent.agentKey === first);
    cluster.isolate(away);
    await cluster.clock.advance(1000);
    await everybodyRepairs([2, away]);
    expect(made()).toBe(1);
  });
});

describe('what cannot be made', () => {
  const shardSize = (pack: WrittenPack) =>
    shardSizeOf({ k: pack.entry.k, packSize: pack.entry.size });

  async function tryFor(hours: number, i: number): Promise<void> {
    for (let minute = 0; minute < hours * 60; minute += 5) {
      await cluster.clock.advance(5 * minuteMs);
      await keepers[i]?.round();
    }
  }

  test('for want of room is read no oftener than its holders give it, and made once there is room', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp([pack]);
    const { store } = site(5).shards;
    const write = store.write.bind(store);
    store.write = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    await lose(3);
    await tryFor(12, 5);
    const read = keepers[5]?.state.bytesRead ?? 0;
    expect(read).toBeGreaterThanOrEqual(2 * 3 * shardSize(pack));
    // Four have a shard, and midnight may have passed.
    const most = 2 * limits.repairReadsPerShardAndDay * 4 * shardSize(pack);
    expect(read).toBeLessThanOrEqual(most);
    store.write = write;
    await tryFor(24, 5);
    expect(shardsAt(5, pack)).toEqual([3]);
  });

  test('because too few shards can be had is not read at all', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp([pack]);
    await lose(3);
    for (const i of [0, 1]) cluster.isolate(i);
    await tryFor(2, 5);
    expect(keepers[5]?.state.failed).toBeGreaterThan(4);
    expect(keepers[5]?.state.bytesRead).toBe(0);
  });
});

describe('a shard that is gone', () => {
  test('is taken back, told, and made anew where it was', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    const record = await backUp([pack]);
    await site(2).shards.store.remove(pack.entry.pack, 2);
    await keepers[2]?.round();
    expect(alarms.map(({ kind }) => kind)).toEqual(['shards-gone']);
    await cluster.sync();
    const before = await site(0).view.assess(record);
    expect(before.degradedPacks).toBe(1);
    await everybodyRepairs();
    await everybodyRepairs();
    const sites = [0, 1, 2, 3, 4, 5].filter((i) => shardsAt(i, pack).includes(2));
    expect(sites).toHaveLength(1);
    expect((await site(0).view.assess(record)).degradedPacks).toBe(0);
  });

  test('is made anew at once when it was signed for, though its source cannot be asked', async () => {
    const coded = await writtenPack(1, { k: 3, m: 2 });
    const copied = await writtenPack(2);
    await backUp([coded, copied]);
    cluster.isolate(0);
    await cluster.clock.advance(3 * minuteMs);
    for (const { entry } of [coded, copied]) {
      await site(2).shards.store.remove(entry.pack, entry.k === 1 ? 0 : 2);
    }
    await keepers[2]?.round();
    await everybodyRepairs([0]);
    await everybodyRepairs([0]);
    expect([1, 2, 3, 4, 5].filter((i) => shardsAt(i, coded).includes(2))).toHaveLength(1);
    expect([1, 2, 3, 4, 5].filter((i) => shardsAt(i, copied).length > 0)).toHaveLength(2);
  });

  test('is made though nobody ever had it, and one snapshot follows the other', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    const assignments = [0, 1, 2, 3].map((index) => ({
      ...{ index, agent: site(index).agent.agentKey, site: `site-${index}` },
    }));
    await site(0).distributor.place(pack, home.id, assignments);
    for (let minute = 0; minute < 5; minute++) {
      await site(0).committer.commit(await prepareManifest(site(0), [pack.entry]));
      await cluster.sync();
      for (const keeper of keepers) await keeper.look();
      await cluster.clock.advance(minuteMs);
    }
    await everybodyRepairs();
    await everybodyRepairs();
    expect([0, 1, 2, 3, 4, 5].filter((i) => shardsAt(i, pack).includes(4))).not.toHaveLength(0);
  });
});

describe('what may wait for a day', () => {
  test('is due for nobody who cannot make it, and made when somebody asks who can', async () => {
    const pack = await writtenPack(1, { k: 2, m: 3 });
    await backUp([pack]);
    await site(4).shards.store.remove(pack.entry.pack, 4);
    await everybodyRepairs();
    await everybodyRepairs();
    const dueAt = (i: number): number => keepers[i]?.state.order.due.length ?? 0;
    keepers[0]?.begin({ isAll: true });
    await everybodyRepairs();
    expect(keepers[0]?.state.judgement?.tasks).toMatchObject([{ index: 4, spare: 2 }]);
    expect([0, 1, 4, 5].map(dueAt)).toEqual([0, 0, 0, 0]);
    expect(made()).toBe(0);

    for (const i of [4, 5]) keepers[i]?.begin({ isAll: true });
    for (let i = 0; i < 4; i++) {
      await everybodyRepairs();
      await cluster.clock.advance(minuteMs);
    }
    expect(made()).toBe(1);
    await everybodyRepairs();
    expect(keepers[4]?.state.judgement?.tasks).toEqual([]);
  });
});

describe('who leaves', () => {
  test('hands over what it has: copied, not computed', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2, size: 600_000 });
    await backUp([pack]);
    leaving.add('site-1');
    await everybodyRepairs();
    expect(shardsAt(5, pack)).toEqual([1]);
    const shardSize = shardSizeOf({ k: 3, packSize: 600_000 });
    // The first leaf is asked for twice: with it comes the head.
    expect(keepers[5]?.state.bytesRead).toBeLessThanOrEqual(shardSize + limits.leafSize);
    expect((await keepers[0]?.look())?.tasks).toEqual([]);
  });
});

describe('a source that has encoded wrongly', () => {
  async function wrongPack(): Promise<WrittenPack> {
    const good = await writtenPack(7, { k: 3, m: 2 });
    const shards = good.encoded.shards.map((shard, i) =>
      i === 4 ? shard.map((b) => b ^ 1) : shard,
    );
    const leaves = shards.map((shard) => leafHashes(shard, limits.leafSize));
    const roots = leaves.map(merkleRoot);
    const { k, m, size: packSize } = good.entry;
    const pack = packIdOf({ k, m, packSize, roots });
    return { ...good, entry: { ...good.entry, pack }, encoded: { shards, leaves, roots } };
  }

  test('is found, named with proof, and not helped to spread', async () => {
    const pack = await wrongPack();
    await backUp([pack]);
    await lose(4);
    await everybodyRepairs([4]);
    expect(shardsAt(5, pack)).toEqual([]);
    const { agentKey } = site(0).agent;
    const alarm = alarms.find(({ kind }) => kind === 'wrong-encoding');
    expect(alarm?.facts).toMatchObject({ pack: pack.entry.pack, writer: agentKey });
    expect(alarm?.facts.root).not.toBe(
      Buffer.from(pack.encoded.roots[4] as Uint8Array).toString('hex'),
    );
    await cluster.clock.advance(5 * minuteMs);
    const asked = keepers[5]?.state.bytesRead;
    await everybodyRepairs([4]);
    expect(keepers[5]?.state.bytesRead).toBe(asked);
  });
});
