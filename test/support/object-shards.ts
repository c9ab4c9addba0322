import { encodeShardFileHead } from '../../src/core/format/shard.ts';
import type { KeyValue } from '../../src/ports/key-value.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { ObjectShards } from '../../src/services/tiers/object-shards.ts';
import { keyOf, type ShardName } from '../../src/services/tiers/shard-object.ts';
import { collectingLog, type LogLine } from './collecting-log.ts';
import { MemoryKeyValue } from './memory-key-value.ts';
import { type SampleShard, samplePack } from './sample-pack.ts';

export type OpenedObjectShards = AsyncDisposable & {
  readonly store: ObjectShards;
  readonly index: KeyValue;
  readonly lines: readonly LogLine[];
};

/** Shards in an object store, with an index of their own unless one is given. */
export async function openObjectShards(
  objects: ObjectStore,
  { index = new MemoryKeyValue() as KeyValue, owner = 'one host', nowMs = () => Date.now() } = {},
): Promise<OpenedObjectShards> {
  const log = collectingLog();
  const options = { objects, index, keyPrefix: 'cold/', owner, clock: { nowMs }, log };
  const store = await ObjectShards.open(options);
  const { lines } = log;
  return { store, index, lines, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** What the contract of shard stores asks for, over objects. @param owner closed with it */
export async function contractShards(objects: ObjectStore, owner: AsyncDisposable) {
  const { store } = await openObjectShards(objects);
  return {
    store,
    flipBit: (name: ShardName, offset: number) => flipSampleBit(objects, name, offset),
    [Symbol.asyncDispose]: () => owner[Symbol.asyncDispose](),
  };
}

/** Flips a bit of one of the shards that the contract of shard stores writes, by its name. */
export async function flipSampleBit(
  objects: ObjectStore,
  { pack, index }: ShardName,
  offset: number,
): Promise<void> {
  const all = [1, 2].flatMap((seed) => samplePack({ seed }));
  const shard = all.find(({ head }) => head.pack === pack && head.index === index);
  await flipObjectBit(objects, shard as SampleShard, offset);
}

/** Flips a bit of a shard's byte in its object. */
export async function flipObjectBit(
  objects: ObjectStore,
  { head }: Pick<SampleShard, 'head'>,
  offset: number,
): Promise<void> {
  const bytes = (await objects.read(keyOf(head), { from: 0, size: 1 << 30 }))?.slice();
  if (bytes === undefined) throw new Error('no such object');
  const at = encodeShardFileHead(head).length + offset;
  bytes[at] = (bytes[at] as number) ^ 1;
  await objects.replace(keyOf(head), bytes);
}
