import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { minuteMs } from '../../../src/base/units.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { receiptStream } from '../../../src/core/format/statement.ts';
import type { PackId } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import type { Holder } from '../../../src/services/durability-view.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import type { WrittenPack } from '../../../src/services/pack-writer.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../support/backup-site.ts';

let cluster: BackupCluster;
let data: WrittenPack;
let old: WrittenPack;
let recent: WrittenPack;
let records: ManifestRecord[];

/** Two snapshots at two sites; the third site was admitted, and starts only now. */
beforeEach(async () => {
  cluster = await BackupCluster.open(3, { late: [2], surviveSites: 1 });
  data = await writtenPack(1);
  old = await writtenPack(2, { type: 'metadata' });
  recent = await writtenPack(3, { type: 'metadata' });
  const entries = [data, old, recent].map(({ entry }) => entry);
  for (const pack of [data, old, recent]) {
    const assignments = [0, 1].map((i) => ({
      index: 0,
      agent: site(i).agent.agentKey,
      site: `site-${i}`,
    }));
    await site(0).distributor.place(pack, home.id, assignments);
  }
  records = [];
  for (const packs of [entries.slice(0, 2), entries]) {
    const manifest = await prepareManifest(site(0), packs);
    records.push((await site(0).committer.commit(manifest)).record);
    await cluster.clock.advance(1000);
  }
  await cluster.start(2);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await cluster[Symbol.asyncDispose]();
});

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

function holds(i: number, { entry }: WrittenPack): boolean {
  return site(i).shards.store.indexes(entry.pack).length > 0;
}

/** Long enough for the source to have delivered all that it wants to. */
function later(): Promise<void> {
  return cluster.clock.advance(2 * minuteMs);
}

describe('a storage peer that came late', () => {
  test('fetches the metadata of all snapshots, and no data', async () => {
    await later();
    expect(await site(2).catchUp.round()).toBe(2);
    expect([data, old, recent].map((pack) => holds(2, pack))).toEqual([false, true, true]);
    const { pack } = recent.entry;
    expect(await site(2).shards.store.verify(pack, 0)).toBeUndefined();
  });

  test('signs for each snapshot that they belong to, once', async () => {
    await later();
    await site(2).catchUp.round();
    await site(2).catchUp.round();
    await cluster.sync();
    for (const record of records) {
      const located = await site(0).view.holders(record);
      const sites = (of: WrittenPack) =>
        located.get(of.entry.pack)?.holders.map((holder) => holder.site);
      expect(sites(old)).toContain('site-2');
      expect(sites(data)).toEqual(['site-0', 'site-1']);
    }
    const { agentKey } = site(2).agent;
    expect(site(2).ledger.head(agentKey, receiptStream)?.sequence).toBe(records.length);
  });

  test('signs after all what it could not sign at first', async () => {
    await later();
    const sign = vi.spyOn(site(2).storage, 'sign');
    sign.mockRejectedValueOnce(new HoldfastError('disk-full', 'no room'));
    await expect(site(2).catchUp.round()).rejects.toMatchObject({ code: 'disk-full' });
    await site(2).catchUp.round();
    for (const record of records) {
      const agents = site(2)
        .ledger.receipts(record.hash)
        .map(({ agent }) => agent);
      expect(agents).toContain(site(2).agent.agentKey);
    }
  });

  test('signs again for a fresh snapshot that needs what came for an older one', async () => {
    await later();
    const manifest = await prepareManifest(site(0), [old.entry]);
    const { record } = await site(0).committer.commit(manifest);
    const sites = async () => {
      await cluster.sync();
      return (await site(0).view.holders(record)).get(old.entry.pack)?.holders;
    };
    expect(await sites()).toHaveLength(2);
    expect(await site(2).catchUp.round()).toBe(2);
    expect(await sites()).toHaveLength(3);
  });

  test('leaves fresh snapshots to their source', async () => {
    expect(await site(2).catchUp.round()).toBe(0);
    expect(holds(2, old)).toBe(false);
  });

  test('waits while nobody who has a copy can be reached', async () => {
    await later();
    cluster.isolate(2);
    expect(await site(2).catchUp.round()).toBe(0);
    await cluster.meet();
    expect(await site(2).catchUp.round()).toBe(2);
  });

  test('asks the next one when the first has nothing good', async () => {
    await later();
    const { store } = site(0).shards;
    for (const pack of [old, recent]) await store.remove(pack.entry.pack, 0);
    expect(await site(2).catchUp.round()).toBe(2);
  });

  test('takes no other pack for the one it asked for', async () => {
    await later();
    // Both answer with a head that is good, of a pack of somebody's choice.
    for (const i of [0, 1]) {
      const { store } = site(i).shards;
      const head = store.head.bind(store);
      vi.spyOn(store, 'head').mockImplementation(() => head(data.entry.pack, 0));
    }
    expect(await site(2).catchUp.round()).toBe(0);
    expect(holds(2, data)).toBe(false);
  });

  test('makes no more copies than are wanted', async () => {
    await later();
    const located = await site(2).view.holders(records[1] as ManifestRecord);
    const holder = located.get(old.entry.pack)?.holders[0] as Holder;
    const holders = new Array<Holder>(limits.metadataCopiesMax).fill(holder);
    const enough = new Map<PackId, { entry: typeof old.entry; holders: Holder[] }>();
    for (const { entry } of [old, recent]) enough.set(entry.pack, { entry, holders });
    vi.spyOn(site(2).view, 'holders').mockResolvedValue(enough);
    expect(await site(2).catchUp.round()).toBe(0);
  });
});

test('a site that has everything fetches nothing', async () => {
  await later();
  expect(await site(0).catchUp.round()).toBe(0);
  expect(await site(1).catchUp.round()).toBe(0);
});

test('of thousands that lack nothing a round looks at some, and in the end at each', async () => {
  const count = 600;
  for (let i = records.length; i < count; i++) {
    await site(0).committer.sign(await prepareManifest(site(0), [old.entry]));
  }
  await later();
  await cluster.sync();
  const looked = vi.spyOn(site(1).view, 'packs');
  const ofRound = async (): Promise<number> => {
    looked.mockClear();
    expect(await site(1).catchUp.round()).toBe(0);
    return new Set(looked.mock.calls.map(([record]) => record.hash)).size;
  };
  // Signed for in the first, found whole in the second.
  expect([await ofRound(), await ofRound()]).toEqual([count, count]);
  expect(await ofRound()).toBe(512);
  await site(1).shards.store.remove(recent.entry.pack, 0);
  expect((await site(1).catchUp.round()) + (await site(1).catchUp.round())).toBe(1);
  expect(holds(1, recent)).toBe(true);
});

test('the run goes on after a round that failed, until it is stopped', async () => {
  await later();
  const round = vi.spyOn(site(2).catchUp, 'round');
  round.mockRejectedValueOnce(new HoldfastError('io-error', 'the disk is gone'));
  round.mockResolvedValue(0);
  const stop = new AbortController();
  const running = site(2).catchUp.run({ signal: stop.signal });
  await cluster.clock.advance(2 * minuteMs);
  expect(round.mock.calls.length).toBeGreaterThan(2);
  stop.abort(new Error('stopped'));
  await running;
});
