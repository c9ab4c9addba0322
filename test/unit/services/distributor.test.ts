import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { equal } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { Assignment } from '../../../src/core/policy/placement.ts';
import type { WrittenPack } from '../../../src/services/pack-writer.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  until,
  writtenPack,
} from '../../support/backup-site.ts';

let cluster: BackupCluster;

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Shard i to site i; full copies have the same index. */
function toSites(pack: WrittenPack, count: number): Assignment[] {
  return Array.from({ length: count }, (_, i) => ({
    index: pack.entry.k === 1 ? 0 : i,
    agent: site(i).agent.agentKey,
    site: `site-${i}`,
  }));
}

function place(pack: WrittenPack, count: number) {
  return site(0).distributor.place(pack, home.id, toSites(pack, count));
}

function held(i: number, { entry }: WrittenPack): readonly number[] {
  return site(i).shards.store.indexes(entry.pack);
}

/** The shard's bytes are those of the pack. */
async function expectWhole(i: number, pack: WrittenPack, shard: Uint8Array, index: number) {
  const read = await site(i).shards.store.read(pack.entry.pack, index, 0, 100);
  expect(equal(read, shard)).toBe(true);
}

describe('placing a pack', () => {
  test('brings each shard to its peer, the own one too', async () => {
    cluster = await BackupCluster.open(5);
    const pack = await writtenPack(1, { k: 3, m: 2, size: 3_000_000 });
    const shards = pack.encoded.shards.map((shard) => shard.slice());
    const size = shards[0]?.length ?? 0;
    expect(await place(pack, 5)).toEqual({ delivered: 5, kept: 0, bytesSent: 4 * size });
    for (let i = 0; i < 5; i++) {
      expect(held(i, pack)).toEqual([i]);
      await expectWhole(i, pack, shards[i] as Uint8Array, i);
    }
    expect(site(0).outbox.agents()).toEqual([]);
  });

  test('keeps what an unreachable peer should have, and delivers it later', async () => {
    cluster = await BackupCluster.open(3);
    cluster.isolate(2);
    const pack = await writtenPack(1);
    const bytes = (pack.encoded.shards[0] as Uint8Array).slice();
    expect(await place(pack, 3)).toMatchObject({ delivered: 2, kept: 1 });
    expect(held(2, pack)).toEqual([]);
    const { distributor, outbox } = site(0);
    await expect(distributor.flush(site(2).agent.agentKey)).rejects.toMatchObject({
      code: 'peer-unreachable',
    });
    expect(outbox.agents()).toEqual([site(2).agent.agentKey]);
    await cluster.meet();
    await distributor.flush(site(2).agent.agentKey);
    await expectWhole(2, pack, bytes, 0);
    expect(outbox.agents()).toEqual([]);
    expect(outbox.sizeBytes).toBe(0);
  });

  test('keeps what a peer refuses', async () => {
    cluster = await BackupCluster.open(2);
    site(1).onOffer = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    expect(await place(await writtenPack(1), 2)).toMatchObject({ delivered: 1, kept: 1 });
    expect(site(0).outbox.agents()).toEqual([site(1).agent.agentKey]);
  });

  test('knows why a peer refused until it takes the very same, whatever else it takes', async () => {
    cluster = await BackupCluster.open(2);
    const { agentKey } = site(1).agent;
    const { distributor, outbox } = site(0);
    const takes = site(1).onOffer;
    site(1).onOffer = async () => {
      throw new HoldfastError('over-budget', 'its budget is 1 B a day');
    };
    await place(await writtenPack(1), 2);
    const refusal = { agent: agentKey, code: 'over-budget', reason: 'its budget is 1 B a day' };
    expect(outbox.refusals.of(home.id)).toMatchObject([refusal]);
    site(1).onOffer = takes;
    await place(await writtenPack(2), 2);
    expect(outbox.refusals.all()).toHaveLength(1);
    await distributor.flush(agentKey);
    expect(outbox.refusals.all()).toEqual([]);
    cluster.isolate(1);
    await place(await writtenPack(3), 2);
    expect(outbox.refusals.all(), 'who is away refuses nothing').toEqual([]);
  });

  test('fails when a shard can neither be sent nor kept', async () => {
    cluster = await BackupCluster.open(2);
    cluster.isolate(1);
    site(0).outbox.keep = async () => {
      throw new HoldfastError('disk-full', 'no room in the outbox');
    };
    await expect(place(await writtenPack(1), 2)).rejects.toMatchObject({ code: 'disk-full' });
  });
});

test('once a pack is placed, or is not, nobody waits for stragglers any more', async () => {
  cluster = await BackupCluster.open(3);
  const { clock } = cluster;
  const sleep = clock.sleep.bind(clock);
  let started = 0;
  let ended = 0;
  clock.sleep = (ms, options) => {
    // What others wait for has other lengths.
    if (ms !== 3000) return sleep(ms, options);
    started++;
    return sleep(ms, options).finally(() => ended++);
  };
  await place(await writtenPack(1, { k: 2, m: 1 }), 3);
  await until(() => ended === started, 'the end of the wait');
  expect(started).toBeGreaterThan(0);
});

/** Lets time pass, and disks work, until it is true. @returns how much time of the clock that took. */
async function advanceUntil(isTrue: () => boolean, mostMs: number): Promise<number> {
  const startMs = cluster.clock.monotonicMs();
  const passedMs = (): number => cluster.clock.monotonicMs() - startMs;
  while (!isTrue() && passedMs() < mostMs) {
    await cluster.clock.advance(100);
    await setTimeout(1);
  }
  return passedMs();
}

describe('a peer that is much slower than the others', () => {
  test('holds the pack up for some seconds only: its shard waits in the outbox', async () => {
    cluster = await BackupCluster.open(3);
    const gate = Promise.withResolvers<void>();
    site(2).onOffer = () => gate.promise;
    const pack = await writtenPack(1, { k: 2, m: 1 });
    const shard = (pack.encoded.shards[2] as Uint8Array).slice();
    let placed: unknown;
    const placing = place(pack, 3).then((outcome) => {
      placed = outcome;
    });
    await until(() => held(0, pack).length + held(1, pack).length === 2, 'delivery to the others');
    const waitedMs = await advanceUntil(() => placed !== undefined, 60_000);
    expect(placed).toMatchObject({ delivered: 2, kept: 1 });
    expect(waitedMs).toBeGreaterThanOrEqual(2_000);
    expect(waitedMs).toBeLessThan(30_000);
    await placing;
    // It may still take the shard, late: what it pulls then comes from the outbox.
    gate.resolve();
    await until(() => held(2, pack).length === 1, 'delivery to the slow one');
    await expectWhole(2, pack, shard, 2);
    await site(0).distributor.flush(site(2).agent.agentKey);
    expect(site(0).outbox.agents()).toEqual([]);
  });

  test('does not hold the pack up either when another peer cannot be reached', async () => {
    cluster = await BackupCluster.open(4);
    cluster.isolate(1);
    const gate = Promise.withResolvers<void>();
    site(3).onOffer = () => gate.promise;
    const pack = await writtenPack(1, { k: 2, m: 2 });
    let placed: unknown;
    const placing = place(pack, 4).then((outcome) => {
      placed = outcome;
    });
    await until(() => held(0, pack).length + held(2, pack).length === 2, 'delivery to the others');
    await until(() => site(0).outbox.agents().length === 1, 'keeping for the unreachable');
    await advanceUntil(() => placed !== undefined, 30_000);
    const placedInTime = placed;
    gate.resolve();
    await placing;
    expect(placedInTime).toMatchObject({ delivered: 2, kept: 2 });
  });
});

describe('what waits in the outbox', () => {
  test('is offered by one run at a time', async () => {
    cluster = await BackupCluster.open(2);
    cluster.isolate(1);
    for (const seed of [1, 2, 3]) await place(await writtenPack(seed), 2);
    await cluster.meet();
    let offers = 0;
    site(1).onOffer = async () => {
      offers++;
    };
    const { distributor } = site(0);
    const { agentKey } = site(1).agent;
    await Promise.all([distributor.flush(agentKey), distributor.flush(agentKey)]);
    expect(offers).toBe(3);
    expect(site(1).shards.store.usage().shards).toBe(3);
  });

  test('stays there when the peer goes away in the middle', async () => {
    cluster = await BackupCluster.open(2);
    cluster.isolate(1);
    for (const seed of [1, 2, 3, 4, 5, 6]) await place(await writtenPack(seed), 2);
    await cluster.meet();
    let offers = 0;
    site(1).onOffer = async () => {
      if (++offers === 4) cluster.isolate(1);
    };
    const { distributor, outbox } = site(0);
    await expect(distributor.flush(site(1).agent.agentKey)).rejects.toThrow(HoldfastError);
    const there = site(1).shards.store.usage().shards;
    const waiting = outbox.parcels(site(1).agent.agentKey).length;
    expect(waiting).toBeGreaterThan(0);
    expect(there + waiting).toBeGreaterThanOrEqual(6);
  });
});
