import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../../src/core/limits.ts';
import type { KeyValue } from '../../../../src/ports/key-value.ts';
import { storeShard } from '../../../contract/shard-store.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';
import { leavesOf, type SampleShard, samplePack } from '../../../support/sample-pack.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { openStore, shardFile, swapFiles } from '../../../support/shard-files.ts';

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard];
const [other] = samplePack({ seed: 2 }) as [SampleShard];
const { pack } = first.head;
const leafCount = Math.ceil(first.bytes.length / limits.leafSize);

describe('opening the shard store', () => {
  test('a clean close keeps the listing, and the next start reads no shard', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    await opened.store[Symbol.asyncDispose]();
    truncateSync(shardFile(scratch.path, first.head), 0);
    await using again = await openStore(scratch.path, { index: opened.index });
    expect(again.store.indexes(pack)).toEqual([0]);
    expect(again.store.usage()).toMatchObject({ shards: 1, bytes: first.bytes.length });
    expect(again.lines).toEqual([]);
  });

  test('a lost index is made again from the files', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    for (const shard of [first, second, other]) await storeShard(opened.store, shard);
    await opened.store[Symbol.asyncDispose]();
    await using again = await openStore(scratch.path);
    expect(again.store.indexes(pack)).toEqual([0, 1]);
    expect(again.store.indexes(other.head.pack)).toEqual([0]);
    expect(again.store.usage()).toMatchObject({ shards: 3, bytes: 3 * first.bytes.length });
  });

  test('two stores share an index without seeing each other', async () => {
    await using scratch = scratchDirectory();
    const index = new MemoryKeyValue();
    for (const name of ['a', 'ab']) mkdirSync(join(scratch.path, name));
    await using one = await openStore(join(scratch.path, 'a'), { index, keyPrefix: 'a' });
    await using two = await openStore(join(scratch.path, 'ab'), { index, keyPrefix: 'ab' });
    await storeShard(one.store, first);
    await storeShard(two.store, second);
    expect([one.store.indexes(pack), two.store.indexes(pack)]).toEqual([[0], [1]]);
    await one.store.rebuild();
    expect([one.store.indexes(pack), two.store.indexes(pack)]).toEqual([[0], [1]]);
  });

  test('closing keeps what unfinished writers have got', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    const writer = await opened.store.write(first.head);
    await writer.append(leavesOf(first, 0, 1));
    const waiting = expect(opened.store.write(first.head)).rejects.toMatchObject({
      code: 'interrupted',
    });
    await opened.store[Symbol.asyncDispose]();
    await waiting;
    await using again = await openStore(scratch.path, { index: opened.index });
    const resumed = await again.store.write(first.head);
    expect(resumed.nextLeaf).toBe(1);
    await resumed.abandon();
  });
});

/**
 * A shard's steps on disk: part file with head, leaves, synced, renamed, listed. Each state that a crash
 * can leave is copied while the store runs, and opened as the next process would find it.
 */
describe('a crash', () => {
  test('at any step leaves a shard to resume or a complete one', async () => {
    await using scratch = scratchDirectory();
    const live = join(scratch.path, 'live');
    mkdirSync(live);
    const index = new MemoryKeyValue();
    const opened = await openStore(live, { index });
    const states: { directory: string; expected: number | 'listed' }[] = [];
    const snapshot = (expected: number | 'listed'): void => {
      const directory = join(scratch.path, `state-${states.length}`);
      cpSync(live, directory, { recursive: true });
      states.push({ directory, expected });
    };
    snapshot(0);
    const writer = await opened.store.write(first.head);
    snapshot(0);
    for (let leaf = 0; leaf < leafCount; leaf++) {
      await writer.append(leavesOf(first, leaf, leaf + 1));
      snapshot(leaf + 1);
    }
    await writer.finish();
    // The index of the dead process is lost here, as if the shard had been renamed and not listed.
    snapshot('listed');
    for (const { directory, expected } of states) {
      const again = await openStore(directory);
      const writerAgain = await again.store.write(first.head);
      expect(again.store.indexes(pack)).toEqual(expected === 'listed' ? [0] : []);
      expect(writerAgain.nextLeaf).toBe(expected === 'listed' ? leafCount : expected);
      if (expected !== 'listed') await writerAgain.append(leavesOf(first, expected));
      await writerAgain.finish();
      await again.store.sync();
      expect(await again.store.verify(pack, 0)).toBeUndefined();
      expect(readdirSync(join(directory, pack.slice(0, 2)))).toEqual([`${pack}.0`]);
    }
  });

  test('between renaming and listing is put right at the next start', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    const listedFirst = new MemoryKeyValue();
    await copyIndex(opened.index, listedFirst);
    await storeShard(opened.store, second);
    await using again = await openStore(scratch.path, { index: listedFirst });
    expect(again.store.indexes(pack)).toEqual([0, 1]);
    expect(again.store.usage()).toMatchObject({ shards: 2 });
  });

  test('after an earlier clean close is noticed all the same', async () => {
    await using scratch = scratchDirectory();
    const index = new MemoryKeyValue();
    await (await openStore(scratch.path, { index })).store[Symbol.asyncDispose]();
    const crashed = await openStore(scratch.path, { index });
    await storeShard(crashed.store, first);
    unlinkSync(shardFile(scratch.path, first.head));
    await using again = await openStore(scratch.path, { index });
    expect(again.store.indexes(pack)).toEqual([]);
  });

  test('that lost the name of a listed shard is put right at the next start', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    for (const shard of [first, second]) await storeShard(opened.store, shard);
    unlinkSync(shardFile(scratch.path, first.head));
    await using again = await openStore(scratch.path, { index: opened.index });
    expect(again.store.indexes(pack)).toEqual([1]);
    expect(again.store.usage()).toMatchObject({ shards: 1, bytes: first.bytes.length });
  });

  test('between unlisting and deleting finds the shard again', async () => {
    await using scratch = scratchDirectory();
    const opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    copyFileSync(shardFile(scratch.path, first.head), join(scratch.path, 'kept'));
    await opened.store.remove(pack, 0);
    renameSync(join(scratch.path, 'kept'), shardFile(scratch.path, first.head));
    await using again = await openStore(scratch.path, { index: opened.index });
    expect(again.store.indexes(pack)).toEqual([0]);
  });

  test('of the index while a shard is listed leaves a file that the next offer adopts', async () => {
    await using scratch = scratchDirectory();
    const index = new MemoryKeyValue();
    const failing: KeyValue = {
      get: (key) => index.get(key),
      range: (from, to) => index.range(from, to),
      [Symbol.asyncDispose]: async () => undefined,
      batch: async (operations) => {
        if (isFailing) throw new Error('the index fails');
        await index.batch(operations);
      },
    };
    let isFailing = false;
    await using opened = await openStore(scratch.path, { index: failing });
    const writer = await opened.store.write(first.head);
    await writer.append(first.bytes);
    isFailing = true;
    await expect(writer.finish()).rejects.toThrow('the index fails');
    isFailing = false;
    expect(opened.store.indexes(pack)).toEqual([]);
    const again = await opened.store.write(first.head);
    expect(again.nextLeaf).toBe(leafCount);
    await again.finish();
    expect(opened.store.indexes(pack)).toEqual([0]);
  });
});

describe('a rebuild', () => {
  test('lists what the files hold and puts aside what is not what its name says', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    for (const shard of [first, second, other]) await storeShard(opened.store, shard);
    swapFiles(shardFile(scratch.path, first.head), shardFile(scratch.path, second.head));
    writeFileSync(join(scratch.path, pack.slice(0, 2), 'notes.txt'), 'not ours');
    expect(await opened.store.rebuild()).toEqual({ shards: 1, quarantined: 2 });
    expect(opened.store.indexes(pack)).toEqual([]);
    expect(opened.store.indexes(other.head.pack)).toEqual([0]);
    expect(await opened.store.verify(other.head.pack, 0)).toBeUndefined();
    expect(existsSync(join(scratch.path, pack.slice(0, 2), 'notes.txt'))).toBe(true);
  });

  test('finds files put there by hand and forgets those taken away', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    renameSync(shardFile(scratch.path, first.head), join(scratch.path, 'away'));
    expect(await opened.store.rebuild()).toEqual({ shards: 0, quarantined: 0 });
    renameSync(join(scratch.path, 'away'), shardFile(scratch.path, first.head));
    expect(await opened.store.rebuild()).toEqual({ shards: 1, quarantined: 0 });
    expect(opened.store.usage()).toMatchObject({ shards: 1, bytes: first.bytes.length });
  });

  test('runs beside writers and loses none of their shards', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    const packs = Array.from({ length: 12 }, (_, n) =>
      samplePack({ seed: 10 + n, packSize: 5000 }),
    );
    await Promise.all([
      opened.store.rebuild(),
      ...packs.flat().map((shard) => storeShard(opened.store, shard)),
      opened.store.rebuild(),
    ]);
    expect(opened.store.usage().shards).toBe(36);
    let listed = 0;
    for await (const _ of opened.store.list()) listed++;
    expect(listed).toBe(36);
  });
});

async function copyIndex(from: KeyValue, to: KeyValue): Promise<void> {
  for await (const { key, value } of from.range(Uint8Array.of(0), Uint8Array.of(0xff))) {
    await to.batch([{ type: 'put', key, value }]);
  }
}
