import { expect, test } from 'vitest';
import { encodeShardFileHead } from '../../../../src/core/format/shard.ts';
import { keyOf } from '../../../../src/services/tiers/shard-object.ts';
import { objectStoreContract } from '../../../contract/object-store.ts';
import { shardStoreContract, storeShard } from '../../../contract/shard-store.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';
import { contractShards, flipObjectBit, openObjectShards } from '../../../support/object-shards.ts';
import { type SampleShard, samplePack } from '../../../support/sample-pack.ts';

objectStoreContract('the store in memory', async () => {
  const store = new MemoryObjects();
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

objectStoreContract('the store in memory that locks', async () => {
  const store = new MemoryObjects({ canLock: true });
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard];
const { pack } = first.head;
const headSize = encodeShardFileHead(first.head).length;

shardStoreContract('shards as objects', async () => {
  const objects = new MemoryObjects();
  return contractShards(objects, objects);
});

test('a store that is away has lost nothing', async () => {
  const objects = new MemoryObjects();
  const { store } = await openObjectShards(objects);
  await storeShard(store, first);
  objects.isAway = true;
  for (const asked of [store.verify(pack, 0), store.read(pack, 0, 0, 1), store.glance(pack, 0)]) {
    await expect(asked).rejects.toMatchObject({ code: 'store-unreachable' });
  }
  expect(store.indexes(pack)).toEqual([0]);
});

test('a store that is away when the host starts holds what it held, and is used when it is back', async () => {
  const objects = new MemoryObjects();
  const before = await openObjectShards(objects);
  await storeShard(before.store, first);
  objects.isAway = true;
  const { store } = await openObjectShards(objects, before);
  expect(store.indexes(pack)).toEqual([0]);
  const writer = await store.write(second.head);
  await writer.append(second.bytes);
  await expect(writer.finish()).rejects.toMatchObject({ code: 'store-unreachable' });
  objects.isAway = false;
  const again = await store.write(second.head);
  expect(again.nextLeaf).toBeGreaterThan(0);
  await again.finish();
  expect(store.indexes(pack)).toEqual([0, 1]);
});

test('an object that has gone from a store that is there is no longer held', async () => {
  const objects = new MemoryObjects();
  const { store, lines } = await openObjectShards(objects);
  await storeShard(store, first);
  objects.objects.delete(keyOf(first.head));
  expect(await store.glance(pack, 0)).toContain('not held');
  expect(store.indexes(pack)).toEqual([]);
  expect(lines.at(-1)).toMatchObject({ level: 'error', context: { pack, index: 0 } });
});

test('a glance finds an object that was cut', async () => {
  const objects = new MemoryObjects();
  const { store } = await openObjectShards(objects);
  await storeShard(store, first);
  expect(await store.glance(pack, 0)).toBeUndefined();
  const bytes = objects.objects.get(keyOf(first.head)) as Uint8Array;
  objects.objects.set(keyOf(first.head), bytes.subarray(1));
  expect(await store.glance(pack, 0)).toContain('instead of');
  expect(store.indexes(pack)).toEqual([]);
});

test('when the index is lost, the objects say what is held; damaged ones are not', async () => {
  const objects = new MemoryObjects();
  const before = await openObjectShards(objects);
  for (const shard of [first, second]) await storeShard(before.store, shard);
  await flipObjectBit(objects, second, 60 - headSize);
  objects.objects.set('shards/00/stray', Uint8Array.of(1));
  const { store, lines } = await openObjectShards(objects);
  expect(store.indexes(pack)).toEqual([0]);
  expect(await store.verify(pack, 0)).toBeUndefined();
  expect(store.usage()).toMatchObject({ shards: 1, bytes: first.bytes.length });
  expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
});

test('the store of another host is refused', async () => {
  const objects = new MemoryObjects();
  await openObjectShards(objects, { owner: 'one host' });
  await expect(openObjectShards(objects, { owner: 'another' })).rejects.toMatchObject({
    code: 'config-invalid',
  });
});

test('an object that a crash has left unlisted is taken over, if it is sound', async () => {
  const objects = new MemoryObjects();
  const before = await openObjectShards(objects);
  await storeShard(before.store, first);
  for (const isSound of [true, false]) {
    const { store } = await openObjectShards(objects, {
      index: (await openObjectShards(new MemoryObjects())).index,
    });
    expect(store.indexes(pack)).toEqual([]);
    if (!isSound) await flipObjectBit(objects, first, 5);
    await storeShard(store, first);
    expect(await store.verify(pack, 0)).toBeUndefined();
  }
});

test('what the store itself keeps locked stays in the trash until it does not', async () => {
  let nowMs = 1000;
  const objects = new MemoryObjects({ canLock: true, nowMs: () => nowMs });
  const { store } = await openObjectShards(objects);
  await storeShard(store, first);
  await store.retain(pack, { mode: 'compliance', untilMs: 5000 });
  await store.retain(pack, { mode: 'compliance', untilMs: 4000 });
  expect(objects.locks.get(keyOf(first.head))).toMatchObject({ untilMs: 5000 });
  await store.discard(pack, 0);
  await store.purge(pack, 0);
  expect(store.trash()).toMatchObject([{ pack, index: 0 }]);
  expect(await store.recover(pack, 0)).toBe(true);
  await store.discard(pack, 0);
  nowMs = 6000;
  await store.purge(pack, 0);
  expect(store.trash()).toEqual([]);
  expect(objects.objects.has(keyOf(first.head))).toBe(false);
});

test('where the disk is not mounted, looking through the store forgets nothing', async () => {
  const objects = new MemoryObjects();
  const { store } = await openObjectShards(objects);
  await storeShard(store, first);
  const mounted = new Map(objects.objects);
  objects.objects.clear();
  await expect(store.rebuild()).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(store.indexes(pack)).toEqual([0]);
  for (const [key, bytes] of mounted) objects.objects.set(key, bytes);
  expect(await store.rebuild()).toEqual({ shards: 1, quarantined: 0 });
});

test('what comes to a locked pack, or is found, is not taken for locked', async () => {
  const lock = { mode: 'compliance', untilMs: Date.now() + 1e6 } as const;
  for (const way of ['found by its writer', 'replaced', 'found by a survey'] as const) {
    const objects = new MemoryObjects({ canLock: true });
    const { store } = await openObjectShards(objects);
    await storeShard(store, first);
    await store.retain(pack, lock);
    const elsewhere = new MemoryObjects();
    await storeShard((await openObjectShards(elsewhere)).store, second);
    const bytes = elsewhere.objects.get(keyOf(second.head)) as Uint8Array;
    objects.objects.set(keyOf(second.head), way === 'replaced' ? bytes.subarray(1) : bytes);
    if (way === 'found by a survey') await store.rebuild();
    else await storeShard(store, second);
    expect(store.indexes(pack)).toEqual([0, 1]);
    await store.retain(pack, lock);
    expect(objects.locks.get(keyOf(second.head)), way).toEqual(lock);
  }
});

test('a lock that some may shorten does not do where one is asked for that nobody can', async () => {
  const untilMs = Date.now() + 1e6;
  const objects = new MemoryObjects({ canLock: true });
  const { store } = await openObjectShards(objects);
  await storeShard(store, first);
  await store.retain(pack, { mode: 'governance', untilMs });
  await store.retain(pack, { mode: 'compliance', untilMs });
  expect(objects.locks.get(keyOf(first.head))).toEqual({ mode: 'compliance', untilMs });
  await store.retain(pack, { mode: 'governance', untilMs });
  expect(objects.locks.get(keyOf(first.head))).toEqual({ mode: 'compliance', untilMs });
});

test('a refusal that is no known lock is warned of', async () => {
  let nowMs = 1000;
  const objects = new MemoryObjects({ canLock: true, nowMs: () => 0 });
  const { store, lines } = await openObjectShards(objects, { nowMs: () => nowMs });
  await storeShard(store, first);
  await store.retain(pack, { mode: 'compliance', untilMs: 5000 });
  await store.letGo(pack, 0);
  expect(store.indexes(pack)).toEqual([0]);
  expect(lines.at(-1)).toMatchObject({ level: 'info' });
  nowMs = 5000;
  await store.letGo(pack, 0);
  expect(lines.at(-1)).toMatchObject({ level: 'warn', context: { code: 'not-permitted' } });
  await store.discard(pack, 0);
  await store.purge(pack, 0);
  expect(store.trash()).toMatchObject([{ pack, index: 0 }]);
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
});
