import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { encodeShardFileHead } from '../../../../src/core/format/shard.ts';
import type { ColdTerms } from '../../../../src/ports/shard-tiers.ts';
import { keyOf } from '../../../../src/services/tiers/shard-object.ts';
import { TieredShards } from '../../../../src/services/tiers/tiered-shards.ts';
import { shardStoreContract, storeShard } from '../../../contract/shard-store.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';
import { flipSampleBit, openObjectShards } from '../../../support/object-shards.ts';
import { type SampleShard, samplePack } from '../../../support/sample-pack.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { flipBit, openStore, shardFile } from '../../../support/shard-files.ts';

async function opened(terms: Partial<ColdTerms> = {}, objects = new MemoryObjects()) {
  const scratch = scratchDirectory();
  const warm = await openStore(scratch.path);
  const cold = await openObjectShards(objects, { index: warm.index });
  const tiered = new TieredShards({
    ...{ warm: warm.store, cold: cold.store, terms },
    clock: new ManualClock(),
  });
  return {
    ...{ tiered, objects, warm: warm.store, cold: cold.store, path: scratch.path },
    [Symbol.asyncDispose]: async () => {
      await warm[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard];
const { pack } = first.head;
const headSize = encodeShardFileHead(first.head).length;

shardStoreContract('a store with two tiers', async () => {
  const { tiered, path, ...rest } = await opened();
  return {
    ...rest,
    store: tiered,
    flipBit: async (name, offset) => flipBit(shardFile(path, name), headSize + offset),
  };
});

// Everything again, with each shard moved as soon as it is there.
shardStoreContract('a store that moves all it gets', async () => {
  const { tiered, objects, ...rest } = await opened();
  const write = tiered.write.bind(tiered);
  tiered.write = async (head) => {
    const writer = await write(head);
    const finish = writer.finish.bind(writer);
    writer.finish = async () => {
      await finish();
      await tiered.freeze(head);
    };
    return writer;
  };
  return {
    ...rest,
    store: new Proxy(tiered, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (name === 'usage') return () => ({ ...target.usage(), ...target.coldUsage() });
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }),
    flipBit: (name, offset) => flipSampleBit(objects, name, offset),
  };
});

test('a shard that was moved is read from the cold store, and comes back', async () => {
  await using at = await opened();
  const { tiered, warm, cold } = at;
  for (const shard of [first, second]) await storeShard(tiered, shard);
  await tiered.freeze(first.head);
  expect([warm.indexes(pack), cold.indexes(pack)]).toEqual([[1], [0]]);
  expect([tiered.indexes(pack), tiered.cold(pack)]).toEqual([[0, 1], [0]]);
  expect(await tiered.read(pack, 0, 0, 100)).toEqual(first.bytes);
  expect(await tiered.head(pack, 0)).toEqual(first.head);
  expect(await tiered.verify(pack, 0)).toBeUndefined();
  expect(tiered.usage()).toMatchObject({ shards: 2, bytes: second.bytes.length });
  expect(tiered.coldUsage()).toEqual({ shards: 1, bytes: first.bytes.length });
  await tiered.thaw(first.head);
  expect([warm.indexes(pack), cold.indexes(pack)]).toEqual([[0, 1], []]);
  expect(await tiered.read(pack, 0, 0, 100)).toEqual(first.bytes);
});

test('a shard that the cold store did not keep as it was stays here', async () => {
  await using at = await opened();
  const { tiered, warm, objects } = at;
  await storeShard(tiered, first);
  objects.spoil = (bytes) => bytes.subarray(0, bytes.length - 1);
  await expect(tiered.freeze(first.head)).rejects.toMatchObject({ code: 'corrupt' });
  expect(warm.indexes(pack)).toEqual([0]);
  expect(await tiered.read(pack, 0, 0, 100)).toEqual(first.bytes);
  objects.spoil = (bytes) => bytes;
  await tiered.freeze(first.head);
  expect(tiered.cold(pack)).toEqual([0]);
  expect(await tiered.verify(pack, 0)).toBeUndefined();
});

test('a move that is broken off at any place leaves the shard held, and goes on when done again', async () => {
  for (const place of ['before the write', 'after the write', 'before the drop'] as const) {
    await using at = await opened();
    const { tiered, warm, objects } = at;
    await storeShard(tiered, first);
    const crash = new HoldfastError('io-error', 'the power went');
    const remove = warm.remove.bind(warm);
    if (place === 'before the write') {
      objects.before = () => {
        throw crash;
      };
    } else if (place === 'after the write') objects.spoil = (bytes) => bytes.fill(0);
    else warm.remove = () => Promise.reject(crash);
    await expect(tiered.freeze(first.head)).rejects.toThrow();
    expect(await tiered.read(pack, 0, 0, 100)).toEqual(first.bytes);
    objects.before = () => {};
    objects.spoil = (bytes) => bytes;
    warm.remove = remove;
    await tiered.freeze(first.head);
    expect([warm.indexes(pack), tiered.cold(pack)]).toEqual([[], [0]]);
    expect(await tiered.verify(pack, 0)).toBeUndefined();
  }
});

test('what is put into the trash while it is moved is in the trash afterwards', async () => {
  await using at = await opened();
  const { tiered, objects } = at;
  await storeShard(tiered, first);
  const moving = tiered.freeze(first.head);
  const discarding = tiered.discard(pack, 0);
  await Promise.all([moving, discarding]);
  expect(tiered.indexes(pack)).toEqual([]);
  expect(tiered.trash()).toMatchObject([{ pack, index: 0 }]);
  await tiered.purge(pack, 0);
  expect(objects.objects.has(keyOf(first.head))).toBe(false);
});

test('a cold shard that is offered again is not taken again', async () => {
  await using at = await opened();
  const { tiered, warm } = at;
  await storeShard(tiered, first);
  await tiered.freeze(first.head);
  const writer = await tiered.write(first.head);
  expect(writer.nextLeaf).toBeGreaterThan(0);
  await writer.finish();
  expect(warm.indexes(pack)).toEqual([]);
});

test('what the store must keep stays there when it is brought back', async () => {
  await using at = await opened({}, new MemoryObjects({ canLock: true }));
  const { tiered, cold } = at;
  await storeShard(tiered, first);
  await tiered.freeze(first.head);
  await tiered.retain(pack, { mode: 'compliance', untilMs: Date.now() + 1e6 });
  await tiered.thaw(first.head);
  expect([tiered.indexes(pack), tiered.cold(pack)]).toEqual([[0], []]);
  expect(cold.indexes(pack)).toEqual([0]);
});

test('what was configured of delay and price goes before what was measured', async () => {
  await using at = await opened({ delayMs: 7000, pricePerGiB: '0.09 EUR' });
  expect(at.tiered.terms).toEqual({ delayMs: 7000, pricePerGiB: '0.09 EUR' });
});
