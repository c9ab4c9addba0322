import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dayMs, minuteMs } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import { Pace } from '../../../../src/services/pace.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import {
  readScrub,
  roundMs,
  Scrub,
  type ScrubOptions,
} from '../../../../src/services/repair/scrub.ts';
import { BackupCluster, entropy, home, until, writtenPack } from '../../../support/backup-site.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { flipBit, shardFile } from '../../../support/shard-files.ts';
import { MemoryRecords } from '../../../support/memory-records.ts';

const packCount = 12;
let cluster: BackupCluster;
let packs: WrittenPack[];
let clock: ManualClock;
let records: MemoryRecords;
let alarms: Alarm[];
let isBusy: boolean;
let damages: number;

beforeEach(async () => {
  cluster = await BackupCluster.open(1, { surviveSites: 1 });
  packs = [];
  for (let i = 0; i < packCount; i++) packs.push(await writtenPack(i, { size: 70_000 }));
  const [site] = cluster.sites;
  for (const pack of packs) {
    const here = { index: 0, agent: site?.agent.agentKey as never, site: 'site-0' };
    await site?.distributor.place(pack, home.id, [here]);
  }
  clock = new ManualClock();
  records = new MemoryRecords();
  alarms = [];
  isBusy = false;
  damages = 0;
});

afterEach(() => cluster[Symbol.asyncDispose]());

function store() {
  const [site] = cluster.sites;
  if (site === undefined) throw new Error('no site');
  return site.shards.store;
}

async function open(tiers?: ScrubOptions['tiers']): Promise<Scrub> {
  const raise = async (alarm: Alarm): Promise<void> => void alarms.push(alarm);
  return Scrub.open(
    {
      ...{ store: store(), records, clock, entropy, log: collectingLog(), alarms: { raise } },
      ...(tiers === undefined ? {} : { tiers }),
      pace: new Pace(clock, () => 0),
      isBusy: () => isBusy,
      onDamage: () => {
        damages++;
      },
    },
    await readScrub(records),
  );
}

async function spoil({ entry }: WrittenPack): Promise<void> {
  const [site] = cluster.sites;
  flipBit(shardFile(site?.directory ?? '', { pack: entry.pack, index: 0 }), 8000);
}

describe('reading back', () => {
  test('spreads a round over its days, and misses nothing', async () => {
    const scrub = await open();
    await scrub.advance();
    expect(scrub.state.share).toBeLessThan(0.01);
    await clock.advance(roundMs / 2);
    await scrub.advance();
    expect(scrub.state.share).toBeCloseTo(0.5, 1);
    await clock.advance(roundMs / 2 - 1000);
    await scrub.advance();
    expect(scrub.state).toMatchObject({ round: 1, share: 1, shards: packCount, damaged: 0 });
    await clock.advance(minuteMs);
    await scrub.advance();
    expect(scrub.state.round).toBe(2);
  });

  test('looks in each round whether what is cold is there, and reads it whole once in half a year', async () => {
    let glances = 0;
    let reads = 0;
    const verify = store().verify.bind(store());
    store().verify = (...shard) => {
      reads++;
      return verify(...shard);
    };
    const glance = async (): Promise<undefined> => {
      glances++;
    };
    const scrub = await open({ cold: () => [0], glance });
    for (let round = 1; round <= 13; round++) {
      await clock.advance(roundMs);
      await scrub.advance();
      await scrub.advance();
    }
    expect(reads).toBeGreaterThanOrEqual(packCount - 1);
    expect(reads).toBeLessThanOrEqual(packCount + 1);
    expect(glances).toBeGreaterThanOrEqual(11 * packCount);
  });

  test('is not held up by a cold store that is away, and takes nothing back', async () => {
    const away = new HoldfastError('store-unreachable', 'it is away');
    store().verify = () => Promise.reject(away);
    const scrub = await open({ cold: () => [0], glance: () => Promise.reject(away) });
    scrub.begin();
    await scrub.advance();
    expect(scrub.state).toMatchObject({ share: 1, damaged: 0 });
    expect(damages).toBe(0);
  });

  test('lets no shard go unread for 30 days', async () => {
    const scrub = await open();
    let worstMs = 0;
    for (let day = 0; day < 90; day++) {
      await clock.advance(dayMs);
      worstMs = Math.max(worstMs, scrub.state.oldestMs ?? 0);
      await scrub.advance();
    }
    expect(worstMs).toBeGreaterThan(14 * dayMs);
    expect(worstMs).toBeLessThan(30 * dayMs);
  });

  test('goes in another order each round', async () => {
    const orders = new Set<string>();
    const list = store().list.bind(store());
    for (let i = 0; i < 3; i++) {
      const order: number[] = [];
      store().list = (first) => {
        order.push(first ?? -1);
        return list(first);
      };
      const scrub = await open();
      scrub.begin();
      await scrub.advance();
      orders.add(order.join(' '));
      expect(new Set(order).size).toBe(256);
    }
    expect(orders.size).toBe(3);
  });

  test('finds a damaged shard, puts it aside, and tells', async () => {
    const bad = packs[3] as WrittenPack;
    await spoil(bad);
    const scrub = await open();
    scrub.begin();
    await scrub.advance();
    expect(scrub.state).toMatchObject({ damaged: 1, isHurried: false, share: 1 });
    expect(store().indexes(bad.entry.pack)).toEqual([]);
    expect([alarms.map(({ kind }) => kind), damages]).toEqual([['shard-damaged'], 1]);
  });

  test('goes on after a restart where it was', async () => {
    const first = await open();
    await clock.advance(roundMs / 2);
    await first.advance();
    const before = first.state;
    const second = await open();
    await second.advance();
    expect(second.state).toEqual(before);
    await clock.advance(roundMs / 2 - 1000);
    await second.advance();
    expect(second.state).toMatchObject({ share: 1, shards: packCount });
  });

  test('lets backups and restores pass, unless it has waited too long or is asked for', async () => {
    isBusy = true;
    const scrub = await open();
    // Every part is due, so it waits at the first shard.
    await clock.advance(roundMs - minuteMs);
    const reading = scrub.advance();
    await clock.advance(5 * dayMs);
    expect(scrub.state.shards).toBe(0);
    await clock.advance(7 * dayMs);
    await until(() => scrub.state.shards > 0);
    isBusy = false;
    await clock.advance(dayMs);
    await reading;
    isBusy = true;
    scrub.begin();
    await scrub.advance();
    expect(scrub.state.share).toBe(1);
  });

  test('is not stopped by a clock that was set back', async () => {
    await (await open()).advance();
    clock = new ManualClock(Date.UTC(2025, 0, 1));
    const again = await open();
    await again.advance();
    await clock.advance(roundMs - 1000);
    await again.advance();
    expect(again.state.share).toBe(1);
  });
});
