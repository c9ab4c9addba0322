import { describe, expect, test } from 'vitest';
import type { PackId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';
import { leavesOf, type SampleShard, samplePack } from '../support/sample-pack.ts';

export type OpenedShardStore = AsyncDisposable & {
  readonly store: ShardStore;
  /** Flips a bit of a stored shard's byte, behind the store's back. */
  flipBit(name: { pack: PackId; index: number }, offset: number): Promise<void>;
};

/** Writes a whole shard. */
export async function storeShard(store: ShardStore, shard: SampleShard): Promise<void> {
  const writer = await store.write(shard.head);
  await writer.append(leavesOf(shard, writer.nextLeaf));
  await writer.finish();
}

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard, SampleShard];
const [other] = samplePack({ seed: 2, packSize: 1000 }) as [SampleShard];
const { pack } = first.head;

/** What every ShardStore promises. `open` gives an empty one. */
export function shardStoreContract(name: string, open: () => Promise<OpenedShardStore>): void {
  describe(`${name} as a ShardStore, writing`, () => {
    test('an empty store holds nothing', async () => {
      await using opened = await open();
      expect(opened.store.indexes(pack)).toEqual([]);
      expect(opened.store.usage()).toMatchObject({ shards: 0, bytes: 0 });
      await expect(opened.store.head(pack, 0)).rejects.toMatchObject({ code: 'not-found' });
      await expect(opened.store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
      expect(await opened.store.verify(pack, 0)).toContain('not held');
    });

    test('a finished shard is listed, counted and comes back byte for byte', async () => {
      await using opened = await open();
      await storeShard(opened.store, second);
      await storeShard(opened.store, first);
      await opened.store.sync();
      expect(opened.store.indexes(pack)).toEqual([0, 1]);
      expect(await opened.store.head(pack, 1)).toEqual(second.head);
      expect(await opened.store.read(pack, 1, 0, 100)).toEqual(second.bytes);
      expect(await opened.store.verify(pack, 1)).toBeUndefined();
      expect(opened.store.usage()).toMatchObject({ shards: 2, bytes: 2 * first.bytes.length });
    });

    test('leaves may arrive one by one', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      for (let leaf = 0; leaf * limits.leafSize < first.bytes.length; leaf++) {
        expect(writer.nextLeaf).toBe(leaf);
        await writer.append(leavesOf(first, leaf, leaf + 1));
      }
      await writer.finish();
      expect(await opened.store.read(pack, 0, 0, 100)).toEqual(first.bytes);
    });

    test('a shard that is not finished is not listed', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      await writer.append(first.bytes);
      expect(opened.store.indexes(pack)).toEqual([]);
      await writer.abandon();
      expect(opened.store.indexes(pack)).toEqual([]);
    });

    test('an abandoned shard goes on where it stopped', async () => {
      await using opened = await open();
      const begun = await opened.store.write(first.head);
      await begun.append(leavesOf(first, 0, 2));
      await begun.abandon();
      const resumed = await opened.store.write(first.head);
      expect(resumed.nextLeaf).toBe(2);
      await resumed.append(leavesOf(first, 2));
      await resumed.finish();
      expect(await opened.store.read(pack, 0, 0, 100)).toEqual(first.bytes);
    });

    test('bytes that fail their leaf hash are refused, and what was good before stays', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      await writer.append(leavesOf(first, 0, 1));
      const bad = leavesOf(first, 1, 2).slice();
      bad[77] = (bad[77] as number) ^ 1;
      const details = { pack, index: 0, leaf: 1 };
      await expect(writer.append(bad)).rejects.toMatchObject({ code: 'corrupt', details });
      const partOfLeaf = leavesOf(first, 1, 2).subarray(0, 100);
      await expect(writer.append(partOfLeaf)).rejects.toMatchObject({ code: 'corrupt' });
      expect(writer.nextLeaf).toBe(1);
      await writer.append(leavesOf(first, 1));
      await expect(writer.append(Uint8Array.of(1))).rejects.toMatchObject({ code: 'corrupt' });
      await writer.finish();
      expect(await opened.store.verify(pack, 0)).toBeUndefined();
    });

    test('a shard cannot be finished before its last leaf', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      await writer.append(leavesOf(first, 0, 1));
      await expect(writer.finish()).rejects.toThrow('after its last leaf');
      await writer.abandon();
    });

    test('a head whose hashes do not agree is refused', async () => {
      await using opened = await open();
      const leaves = first.head.leaves.slice();
      leaves[0] = (leaves[0] as number) ^ 1;
      for (const head of [
        { ...first.head, leaves },
        { ...first.head, pack: other.head.pack },
        { ...first.head, index: 1 },
      ]) {
        await expect(opened.store.write(head)).rejects.toMatchObject({ code: 'corrupt' });
      }
    });

    test('a second writer of a shard waits for the first, and finds it done', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      let isWaiting = true;
      const next = opened.store.write(first.head).finally(() => {
        isWaiting = false;
      });
      await writer.append(first.bytes);
      expect(isWaiting).toBe(true);
      await writer.finish();
      const late = await next;
      expect(late.nextLeaf).toBe(Math.ceil(first.bytes.length / limits.leafSize));
      await late.finish();
      expect(opened.store.usage().shards).toBe(1);
    });

    test('a second writer of a shard goes on when the first gives up', async () => {
      await using opened = await open();
      const writer = await opened.store.write(first.head);
      await writer.append(leavesOf(first, 0, 1));
      const next = opened.store.write(first.head);
      await writer.abandon();
      const late = await next;
      expect(late.nextLeaf).toBe(1);
      await late.abandon();
    });

    test('writers of different shards do not wait for each other', async () => {
      await using opened = await open();
      const writers = await Promise.all([
        opened.store.write(first.head),
        opened.store.write(second.head),
      ]);
      await writers[1].append(second.bytes);
      await writers[1].finish();
      expect(opened.store.indexes(pack)).toEqual([1]);
      await writers[0].abandon();
    });
  });

  describe(`${name} as a ShardStore, reading`, () => {
    test('a read gives the leaves asked for, fewer at the end', async () => {
      await using opened = await open();
      await storeShard(opened.store, first);
      expect(await opened.store.read(pack, 0, 1, 1)).toEqual(leavesOf(first, 1, 2));
      expect(await opened.store.read(pack, 0, 1, 9)).toEqual(leavesOf(first, 1));
      expect(await opened.store.read(pack, 0, 9, 1)).toEqual(new Uint8Array());
    });

    test('a flipped bit is never handed out: the shard is put aside', async () => {
      await using opened = await open();
      await storeShard(opened.store, first);
      await storeShard(opened.store, second);
      await opened.flipBit({ pack, index: 0 }, limits.leafSize + 5);
      expect(await opened.store.read(pack, 0, 0, 1)).toEqual(leavesOf(first, 0, 1));
      const details = { pack, index: 0, leaf: 1 };
      await expect(opened.store.read(pack, 0, 0, 9)).rejects.toMatchObject({
        code: 'corrupt',
        details,
      });
      expect(opened.store.indexes(pack)).toEqual([1]);
      expect(opened.store.usage()).toMatchObject({ shards: 1, bytes: second.bytes.length });
      await expect(opened.store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    });

    test('a damaged shard can be stored again', async () => {
      await using opened = await open();
      await storeShard(opened.store, first);
      await opened.flipBit({ pack, index: 0 }, 5);
      expect(await opened.store.verify(pack, 0)).toContain('leaf 0');
      await storeShard(opened.store, first);
      expect(await opened.store.verify(pack, 0)).toBeUndefined();
      expect(opened.store.indexes(pack)).toEqual([0]);
    });

    test('the list has every shard once, with its size', async () => {
      await using opened = await open();
      for (const shard of [first, second, other]) await storeShard(opened.store, shard);
      const listed: { pack: PackId; index: number; size: number }[] = [];
      for await (const entry of opened.store.list()) listed.push(entry);
      const expected = [first, second, other].map(({ head, bytes }) => ({
        pack: head.pack,
        index: head.index,
        size: bytes.length,
      }));
      const byName = (a: { pack: string; index: number }, b: { pack: string; index: number }) =>
        a.pack === b.pack ? a.index - b.index : a.pack < b.pack ? -1 : 1;
      expect(listed.sort(byName)).toEqual(expected.sort(byName));
    });

    test('a removed shard is gone, and removing what is not there does nothing', async () => {
      await using opened = await open();
      for (const shard of [first, second]) await storeShard(opened.store, shard);
      await opened.store.remove(pack, 0);
      await opened.store.remove(pack, 0);
      await opened.store.remove(other.head.pack, 0);
      expect(opened.store.indexes(pack)).toEqual([1]);
      expect(opened.store.usage()).toMatchObject({ shards: 1, bytes: second.bytes.length });
      await expect(opened.store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
      await expect(opened.store.head(pack, 0)).rejects.toMatchObject({ code: 'not-found' });
    });

    test('a discarded shard is not held, and comes back whole', async () => {
      await using opened = await open();
      for (const shard of [first, second]) await storeShard(opened.store, shard);
      await opened.store.discard(pack, 0);
      await opened.store.discard(other.head.pack, 0);
      expect(opened.store.indexes(pack)).toEqual([1]);
      expect(opened.store.usage()).toMatchObject({ shards: 1 });
      await expect(opened.store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
      expect(opened.store.trash()).toMatchObject([{ pack, index: 0 }]);
      expect(await opened.store.recover(other.head.pack, 0)).toBe(false);
      expect(await opened.store.recover(pack, 0)).toBe(true);
      expect(opened.store.trash()).toEqual([]);
      expect(await opened.store.read(pack, 0, 0, 100)).toEqual(first.bytes);
    });

    test('what is purged from the trash is gone, and may be stored anew', async () => {
      await using opened = await open();
      await storeShard(opened.store, first);
      await opened.store.purge(pack, 0);
      expect(opened.store.indexes(pack)).toEqual([0]);
      await opened.store.discard(pack, 0);
      await opened.store.purge(pack, 0);
      expect(await opened.store.recover(pack, 0)).toBe(false);
      await storeShard(opened.store, first);
      expect(await opened.store.read(pack, 0, 0, 100)).toEqual(first.bytes);
    });

    test('a shard stored anew while an older copy is in the trash stays', async () => {
      await using opened = await open();
      await storeShard(opened.store, first);
      await opened.store.discard(pack, 0);
      await storeShard(opened.store, first);
      expect(await opened.store.recover(pack, 0)).toBe(true);
      expect(opened.store.trash()).toEqual([]);
      expect(await opened.store.read(pack, 0, 0, 100)).toEqual(first.bytes);
    });

    test('a rebuild of a sound store changes nothing', async () => {
      await using opened = await open();
      for (const shard of [first, second, other]) await storeShard(opened.store, shard);
      const before = opened.store.usage();
      expect(await opened.store.rebuild()).toEqual({ shards: 3, quarantined: 0 });
      const { shards, bytes } = opened.store.usage();
      expect({ shards, bytes }).toEqual({ shards: before.shards, bytes: before.bytes });
      expect(opened.store.indexes(pack)).toEqual([0, 1]);
    });
  });
}
