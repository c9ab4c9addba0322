import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../src/adapters/compute/inline.ts';
import type { IndexRecord } from '../../../src/core/format/index-segment.ts';
import { chooseCode } from '../../../src/core/policy/code-choice.ts';
import type { Compute } from '../../../src/ports/compute.ts';
import { DatasetIndex } from '../../../src/services/dataset-index.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { Pace } from '../../../src/services/pace.ts';
import { PackPlacer } from '../../../src/services/pack-placer.ts';
import type { WrittenPack } from '../../../src/services/pack-writer.ts';
import { Recoder } from '../../../src/services/recoder.ts';
import { RepairReads } from '../../../src/services/repair/repair-reads.ts';
import { ShardGatherer } from '../../../src/services/repair/shard-gatherer.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';

const size = 200_000;
const inline = inlineCompute();
const five = chooseCode({ siteCount: 5, surviveSites: 2 });

let cluster: BackupCluster;
let index: DatasetIndex;
let old: WrittenPack;
let before: ManifestRecord;

beforeEach(async () => {
  cluster = await BackupCluster.open(5, { surviveSites: 2 });
  index = await DatasetIndex.open(site(0).index, home.id);
  old = await writtenPack(7, { size });
  const assignments = [0, 1, 2].map((i) => ({
    ...{ index: 0, agent: site(i).agent.agentKey, site: `site-${i}` },
  }));
  await site(0).distributor.place(old, home.id, assignments);
  await index.addPack(7, old.entry, recordsOf(old));
  await index.replaceSegments([], [{ ...segment, packs: [7] }]);
  before = await commit(old);
});

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

const place = { frame: 0, frameOffset: 60, frameSize: 900, offset: 0, length: 800 };
const segment = { number: 1, blob: { pack: 'ab'.repeat(32), ...place }, count: 1 } as never as {
  number: number;
  blob: never;
  count: number;
};

function recordsOf({ entry }: WrittenPack): IndexRecord[] {
  return [{ id: new Uint8Array(32).fill(9), pack: entry.pack, ...place }];
}

async function commit({ entry }: Pick<WrittenPack, 'entry'>): Promise<ManifestRecord> {
  const manifest = await prepareManifest(site(0), [entry]);
  const { record } = await site(0).committer.commit(manifest);
  await cluster.sync();
  return record;
}

/** Takes over the buffers that it is given, as threads do. */
const taking: Pick<Compute, 'encode' | 'reconstruct'> = {
  encode: ({ parts, ...job }) => inline.encode({ ...job, parts: parts.map(taken) }),
  reconstruct: ({ present, ...job }) => {
    const moved = present.map(({ index: at, bytes }) => ({ index: at, bytes: taken(bytes) }));
    return inline.reconstruct({ ...job, present: moved });
  },
};

function taken(bytes: Uint8Array): Uint8Array {
  return structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
}

function recode(change: { bytesMax?: number; code?: typeof five; ordinals?: number[] } = {}) {
  const { ledger, peers, view, network, shards, clock, logger: log, agent, distributor } = site(0);
  const member = ledger.roster.member(agent.agentKey);
  if (member === undefined) throw new Error('site 0 is a member');
  const of = { writer: agent.agentKey, dataset: home.id };
  const placer = new PackPlacer({ ledger, self: agent.agentKey, peers, of, ownFreeBytes: () => 1 });
  const pace = new Pace(clock, () => 0);
  const recoder = new Recoder({
    ...{ index, view, compute: taking, log, selfPeer: member.peerKey },
    shards: new ShardGatherer({
      ...{ network, store: shards.store, clock, log, pace },
      repairReads: new RepairReads(clock),
    }),
    reachable: () => [...peers.reachable(), member],
    place: async (written) => {
      await distributor.place(written, home.id, placer.assign(written, five));
    },
    isWaiting: (pack) => distributor.isWaiting(pack),
  });
  const { signal } = new AbortController();
  const asked = { ordinals: [7], before, code: five, bytesMax: 1e9, isExpiring: true, signal };
  return recoder.run({ ...asked, ...change });
}

describe('an old coded pack', () => {
  test('is made anew from whichever of its shards can be had', async () => {
    old = await writtenPack(8, { size, k: 2, m: 2 });
    const where = [0, 1, 2, 3].map((i) => ({
      ...{ index: i, agent: site(i).agent.agentKey, site: `site-${i}` },
    }));
    await site(0).distributor.place(old, home.id, where);
    await index.addPack(8, old.entry, recordsOf(old));
    before = await commit(old);
    await site(1).shards.store.remove(old.entry.pack, 1);
    expect(await recode({ ordinals: [8] })).toEqual({ packs: 1, bytes: size });
    const { entry } = await writtenPack(8, { size, k: 3, m: 2 });
    expect(index.pack(8)?.entry).toEqual(entry);
  });
});

describe('an old pack of full copies', () => {
  test('is made anew, byte for byte the same, for the sites there are', async () => {
    expect(await recode()).toEqual({ packs: 1, bytes: size });
    const anew = index.pack(7)?.entry;
    expect(anew).toMatchObject({ k: 3, m: 2, size, type: 'data' });
    expect(anew?.pack).not.toBe(old.entry.pack);
    const record = await commit({ entry: anew as WrittenPack['entry'] });
    expect(await site(0).view.assess(record)).toMatchObject({
      state: 'committed',
      sitesMayFail: 2,
    });
    const { encoded } = await writtenPack(7, { size, k: 3, m: 2 });
    for (const [i, one] of encoded.shards.slice(0, 3).entries()) {
      const holder = cluster.sites.find((at) =>
        at.shards.store.indexes(anew?.pack as never).includes(i),
      );
      const held = await holder?.shards.store.read(anew?.pack as never, i, 0, 16);
      expect(Buffer.compare(held as Uint8Array, one)).toBe(0);
    }
    expect(noise(size, 7).length).toBe(size);
  });

  test('stays as safe as it was for the snapshots that name it', async () => {
    const { sitesMayFail } = await site(0).view.assess(before);
    await recode();
    await cluster.sync();
    expect(await site(0).view.assess(before)).toMatchObject({ state: 'committed', sitesMayFail });
    for (const i of [0, 1, 2]) expect(site(i).shards.store.indexes(old.entry.pack)).toEqual([0]);
  });

  test('is found under its new id by what the source remembers, after a restart too', async () => {
    await recode();
    const [record] = recordsOf(old) as [IndexRecord];
    for (const one of [index, await DatasetIndex.open(site(0).index, home.id)]) {
      expect(one.find(record.id)).toBe(7);
      const anew = one.pack(7);
      expect(one.records(7)).toEqual([{ ...record, pack: anew?.entry.pack }]);
      // No list of chunks may lead to the old place any more.
      expect(anew?.isIndexed).toBe(false);
      expect(one.segments()).toEqual([]);
    }
  });

  test('waits while not all sites that it wants are there', async () => {
    cluster.isolate(4);
    await cluster.clock.advance(1000);
    expect(await recode()).toEqual({ packs: 0, bytes: 0 });
    expect(index.pack(7)?.entry).toEqual(old.entry);
  });

  test('stays when a site has gone before it took its shard: the snapshot would outlive less', async () => {
    site(4).onOffer = () => Promise.reject(new Error('the disk is gone'));
    expect(await recode()).toEqual({ packs: 0, bytes: 0 });
    expect(index.pack(7)?.entry).toEqual(old.entry);
  });

  test('waits when it is more than may be moved, and when its shards cannot be had', async () => {
    expect(await recode({ bytesMax: size - 1 })).toEqual({ packs: 0, bytes: 0 });
    for (const i of [0, 1, 2]) await site(i).shards.store.remove(old.entry.pack, 0);
    expect(await recode()).toEqual({ packs: 0, bytes: 0 });
    expect(index.pack(7)?.entry).toEqual(old.entry);
  });
});
