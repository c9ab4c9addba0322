import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { equal } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { decodeHolding, type PackEntry } from '../../../src/core/format/facts.ts';
import type { ShardHead } from '../../../src/core/format/shard.ts';
import { receiptStream } from '../../../src/core/format/statement.ts';
import { idBytes, type PeerKey } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import type { Network, PullReply, PullRequest } from '../../../src/ports/network.ts';
import type { ShardStore } from '../../../src/ports/shard-store.ts';
import { StoragePeer, type StoragePeerOptions } from '../../../src/services/storage-peer.ts';
import { ExtraShards } from '../../../src/services/tiers/extra-shards.ts';
import { BackupCluster, type BackupSite, home, signSnapshot } from '../../support/backup-site.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { type SampleShard, samplePack } from '../../support/sample-pack.ts';

let cluster: BackupCluster;
let source: BackupSite;
let site: BackupSite;
let tests = 0;
let pulls: PullRequest[];
/** What the far end answers: the true bytes, unless changed. */
let answer: (request: PullRequest, bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

// One for all, since each test has shards and snapshots of its own.
beforeAll(async () => {
  cluster = await BackupCluster.open(2);
  [source, site] = cluster.sites as [BackupSite, BackupSite];
});

afterAll(() => cluster[Symbol.asyncDispose]());

beforeEach(() => {
  tests++;
  pulls = [];
  answer = (_, bytes) => bytes;
});

/** A shard that the source offers. */
function shardOf(seed: number, packSize = 6_000_000): SampleShard {
  const [{ head, bytes }] = samplePack({
    seed: seed + 1000 * tests,
    packSize,
  }) as [SampleShard];
  return { head: { ...head, writer: source.agent.agentKey }, bytes };
}

/** A storage peer that pulls these shards from whoever is asked. */
function peerOf(shards: readonly SampleShard[], change: Partial<StoragePeerOptions> = {}) {
  const pull = async (_: PeerKey, request: PullRequest): Promise<PullReply> => {
    pulls.push(request);
    const shard = shards.find(({ head }) => equal(idBytes(head.pack), request.pack));
    const start = request.leaf * limits.leafSize;
    const end = start + request.count * limits.leafSize;
    return { bytes: await answer(request, (shard as SampleShard).bytes.slice(start, end)) };
  };
  const { ledger, facts, logger: log, shards: own } = site;
  const network = { pull } as Partial<Network> as Network;
  return new StoragePeer({
    network,
    ledger,
    store: own.store,
    facts,
    log,
    isDiscarded: () => false,
    ...change,
  });
}

function take(shard: SampleShard, from = source.network.self, peer = peerOf([shard])) {
  return peer.take(from, shard.head);
}

function held({ head }: SampleShard): readonly number[] {
  return site.shards.store.indexes(head.pack);
}

/** A store that does something of its own in one place. */
function storeWith(change: Partial<ShardStore>): ShardStore {
  return new Proxy(site.shards.store, {
    get: (target, name) => {
      const value = Reflect.get(name in change ? change : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('an offer', () => {
  test('is taken: the shard is pulled, whole and good', async () => {
    const shard = shardOf(1);
    expect(await take(shard)).toEqual({ hadIt: false });
    const { pack, index } = shard.head;
    expect(equal(await site.shards.store.read(pack, index, 0, 100), shard.bytes)).toBe(true);
    expect(Math.max(...pulls.map(({ count }) => count))).toBeLessThanOrEqual(limits.pullLeavesMax);
    pulls = [];
    expect(await take(shard)).toEqual({ hadIt: true });
    expect(pulls).toEqual([]);
  });

  test('is durable, name and all, before it is answered', async () => {
    let syncedWith: readonly number[] | undefined;
    const shard = shardOf(1);
    const store = storeWith({
      sync: async () => {
        await site.shards.store.sync();
        syncedWith = held(shard);
      },
    });
    await take(shard, source.network.self, peerOf([shard], { store }));
    expect(syncedWith).toEqual([0]);
  });

  test('of one shard made twice at once is pulled once', async () => {
    const shard = shardOf(1);
    const peer = peerOf([shard]);
    const both = [1, 2].map(() => take(shard, source.network.self, peer));
    expect(await Promise.all(both)).toEqual([{ hadIt: false }, { hadIt: true }]);
    expect(new Set(pulls.map(({ leaf }) => leaf)).size).toBe(pulls.length);
  });

  test('beyond the configured size is refused, and changes nothing', async () => {
    const shard = shardOf(1);
    const bytesMax = site.shards.store.usage().bytes + shard.bytes.length - 1;
    const full = take(shard, source.network.self, peerOf([shard], { bytesMax }));
    await expect(full).rejects.toMatchObject({ code: 'disk-full' });
    expect(held(shard)).toEqual([]);
    const peer = peerOf([shard], { bytesMax: bytesMax + 1 });
    expect(await take(shard, source.network.self, peer)).toEqual({ hadIt: false });
  });

  test('from a stranger is refused', async () => {
    const stranger = 'ee'.repeat(32) as PeerKey;
    await expect(take(shardOf(1), stranger)).rejects.toMatchObject({ code: 'not-permitted' });
    expect(pulls).toEqual([]);
  });

  test('of a shard that another has written is refused', async () => {
    const { head, bytes } = shardOf(1);
    const other = { head: { ...head, writer: site.agent.agentKey }, bytes };
    await expect(take(other)).rejects.toMatchObject({ code: 'not-permitted' });
    expect(pulls).toEqual([]);
  });

  test('from a member that is no source is refused', async () => {
    await using other = await BackupCluster.open(2, { founderRoles: ['storage'] });
    const [founder, holder] = other.sites as [BackupSite, BackupSite];
    const { head } = shardOf(1);
    const own = { ...head, writer: founder.agent.agentKey };
    await expect(holder.storage.take(founder.network.self, own)).rejects.toMatchObject({
      code: 'not-permitted',
    });
  });

  test('whose head does not fit together is refused', async () => {
    const { head, bytes } = shardOf(1);
    const wrong: ShardHead = { ...head, leaves: head.leaves.slice().fill(7, 0, 32) };
    await expect(take({ head: wrong, bytes })).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('a pull that fails', () => {
  test('goes on later where it was cut', async () => {
    const shard = shardOf(1);
    let count = 0;
    answer = (_, bytes) => {
      if (++count > 2) throw new Error('the connection is gone');
      return bytes;
    };
    await expect(take(shard)).rejects.toThrow('the connection is gone');
    expect(held(shard)).toEqual([]);
    answer = (_, bytes) => bytes;
    pulls = [];
    expect(await take(shard)).toEqual({ hadIt: false });
    expect(Math.min(...pulls.map(({ leaf }) => leaf))).toBe(2 * limits.pullLeavesMax);
    expect(await site.shards.store.verify(shard.head.pack, shard.head.index)).toBeUndefined();
  });

  const lies: readonly [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['other bytes', (bytes) => bytes.map((byte) => byte ^ 1)],
    ['nothing', () => new Uint8Array(0)],
    ['fewer leaves', (bytes) => bytes.subarray(0, limits.leafSize)],
    ['half a leaf', (bytes) => bytes.subarray(0, limits.leafSize / 2)],
    ['more than asked', (bytes) => new Uint8Array(bytes.length + limits.leafSize)],
  ];

  test.each(lies)('because the peer sends %s leaves nothing listed', async (_, lie) => {
    for (const packSize of [6_000_000, 1_000_000]) {
      const shard = shardOf(packSize, packSize);
      const last = Math.floor(shard.bytes.length / limits.leafSize / limits.pullLeavesMax);
      answer = ({ leaf }, bytes) => (leaf / limits.pullLeavesMax === last ? lie(bytes) : bytes);
      await expect(take(shard)).rejects.toMatchObject({ code: 'corrupt' });
      expect(held(shard)).toEqual([]);
    }
  });
});

describe('a receipt', () => {
  const entryOf = ({ head: { pack, k, m } }: SampleShard): PackEntry => ({
    pack,
    k,
    m,
    type: 'data',
    size: 6_000_000,
  });

  /** The masks that a receipt's newest word gives, by pack. */
  async function signedMasks(packs: readonly PackEntry[]): Promise<number[]> {
    const record = site.ledger.manifests(home.id).at(-1);
    const receipts = site.ledger.receipts(record?.hash as never);
    const own = receipts.find(({ agent }) => agent === site.agent.agentKey);
    const [hash] = own?.shortList ?? [];
    const holding = await site.facts.get(idBytes(hash as never));
    const sorted = packs.map(({ pack }) => pack).sort();
    const { masks } = decodeHolding(holding as Uint8Array);
    return packs.map(({ pack }) => masks[sorted.indexOf(pack)] as number);
  }

  async function signed(shards: readonly SampleShard[], peer: StoragePeer) {
    const record = await signSnapshot(source, shards.map(entryOf));
    await cluster.sync();
    return peer.sign(record);
  }

  test('says exactly what is on disk', async () => {
    const shards = [shardOf(1), shardOf(2), shardOf(3)];
    const peer = peerOf(shards);
    await take(shards[0] as SampleShard, source.network.self, peer);
    await take(shards[2] as SampleShard, source.network.self, peer);
    await signed(shards, peer);
    expect(await signedMasks(shards.map(entryOf))).toEqual([1, 0, 1]);
  });

  test('is not signed twice for one answer, and anew for another', async () => {
    const shards = [shardOf(1), shardOf(2)];
    const peer = peerOf(shards);
    const count = () => site.ledger.head(site.agent.agentKey, receiptStream)?.sequence ?? 0;
    const before = count();
    const first = await signed(shards, peer);
    const record = site.ledger.manifests(home.id).at(-1);
    expect(equal(await peer.sign(record as never), first)).toBe(true);
    expect(count()).toBe(before + 1);
    await take(shards[1] as SampleShard, source.network.self, peer);
    expect(equal(await peer.sign(record as never), first)).toBe(false);
    expect(count()).toBe(before + 2);
    expect(await signedMasks(shards.map(entryOf))).toEqual([0, 1]);
  });

  test('names no shard that came after everything was made durable', async () => {
    const shards = [shardOf(1)];
    const peer = peerOf(shards);
    let synced: readonly number[] = [];
    const store = storeWith({
      sync: async () => {
        synced = held(shards[0] as SampleShard);
        // Just then another shard is finished: it is listed, and its name is not durable.
        await take(shards[0] as SampleShard, source.network.self, peer);
      },
    });
    await signed(shards, peerOf(shards, { store }));
    expect(synced).toEqual([]);
    expect(await signedMasks(shards.map(entryOf))).toEqual([0]);
  });

  test('is not signed while the list of packs is not here', async () => {
    const record = await signSnapshot(source, [entryOf(shardOf(1))]);
    const later = peerOf([], { facts: { get: async () => undefined } as never });
    await expect(later.sign(record)).rejects.toMatchObject({ code: 'not-found' });
    expect(site.ledger.receipts(record.hash)).toEqual([]);
  });
});

test('an inspection tells good shards from damaged ones only when it reads them', async () => {
  const shard = shardOf(1);
  const peer = peerOf([shard]);
  await take(shard, source.network.self, peer);
  const { pack } = shard.head;
  const store = storeWith({ verify: async () => 'leaf 3 is damaged' });
  const doubtful = peerOf([], { store });
  expect(await doubtful.inspect([pack], false)).toEqual([{ pack, index: 0, problem: undefined }]);
  expect(await doubtful.inspect([pack], true)).toEqual([
    { pack, index: 0, problem: 'leaf 3 is damaged' },
  ]);
  expect(await peer.inspect([shardOf(2).head.pack], true)).toEqual([]);
});

describe('a shard that is here for a full copy', () => {
  async function extraOf(shard: SampleShard): Promise<ExtraShards> {
    const { pack, index } = shard.head;
    const extras = new ExtraShards(new MemoryRecords(), new Map());
    await extras.mark(pack, [index], () => false);
    await take(shard, source.network.self, peerOf([shard]));
    return extras;
  }

  test('is kept for good, and counted, once its source brings it', async () => {
    const shard = shardOf(1);
    const { pack, index } = shard.head;
    const extras = await extraOf(shard);
    const charged: number[] = [];
    const budgets = {
      require: () => {},
      charge: ({ packSize }: ShardHead) => void charged.push(packSize),
      giveBack: () => {},
    };
    const peer = peerOf([shard], { extras, budgets });
    expect(await take(shard, source.network.self, peer)).toEqual({ hadIt: true });
    expect([extras.isExtra(pack, index), charged]).toEqual([false, [shard.head.packSize]]);
    expect(await take(shard, source.network.self, peer)).toEqual({ hadIt: true });
    expect(charged).toHaveLength(1);
  });

  test('is fetched anew when it was just being removed', async () => {
    const shard = shardOf(1);
    const { pack, index } = shard.head;
    const extras = await extraOf(shard);
    extras.beginToLeave(pack, [index]);
    const { store } = site.shards;
    const removal = extras.remove(pack, [index], (one) => store.remove(pack, one));
    expect(await take(shard, source.network.self, peerOf([shard], { extras }))).toEqual({
      hadIt: false,
    });
    expect(await removal).toBe(1);
    expect(held(shard)).toEqual([index]);
    expect(extras.isExtra(pack, index)).toBe(false);
  });

  test('is not taken while its source is over its budget', async () => {
    const shard = shardOf(1);
    const extras = await extraOf(shard);
    const budgets = {
      require: () => {
        throw new HoldfastError('over-budget', 'too much');
      },
      charge: () => {},
      giveBack: () => {},
    };
    await expect(
      take(shard, source.network.self, peerOf([shard], { extras, budgets })),
    ).rejects.toThrow('too much');
    expect(extras.isExtra(shard.head.pack, shard.head.index)).toBe(true);
  });
});
