import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openKeyValue } from '../../../../src/adapters/level/key-value.ts';
import { encodeShardFileHead } from '../../../../src/core/format/shard.ts';
import { limits } from '../../../../src/core/limits.ts';
import { shardStoreContract, storeShard } from '../../../contract/shard-store.ts';
import { leavesOf, type SampleShard, samplePack } from '../../../support/sample-pack.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import {
  flipBit,
  openStore,
  plantPartial,
  shardFile,
  swapFiles,
} from '../../../support/shard-files.ts';
import { canMount, smallDisk } from '../../../support/small-disk.ts';

shardStoreContract('the store on disk', async () => {
  const scratch = scratchDirectory();
  const directory = join(scratch.path, 'shards');
  mkdirSync(directory);
  const index = await openKeyValue(join(scratch.path, 'index'));
  const { store } = await openStore(directory, { index });
  return {
    store,
    flipBit: async (name, offset) => flipBit(shardFile(directory, name), headSize + offset),
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await index[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
});

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard];
const [other] = samplePack({ seed: 2 }) as [SampleShard];
const { pack } = first.head;
const leafCount = Math.ceil(first.bytes.length / limits.leafSize);
const headSize = encodeShardFileHead(first.head).length;

describe('shard files', () => {
  test('a file is head and bytes as the format says, for its owner only', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    const path = join(scratch.path, pack.slice(0, 2), `${pack}.0`);
    const expected = Buffer.concat([encodeShardFileHead(first.head), first.bytes]);
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(path))).toEqual([`${pack}.0`]);
  });

  test.each([
    ['cut by a byte', (path: string) => truncateSync(path, statSync(path).size - 1)],
    ['grown by a byte', (path: string) => truncateSync(path, statSync(path).size + 1)],
    ['empty', (path: string) => truncateSync(path, 0)],
    ['without its magic', (path: string) => flipBit(path, 0)],
    ['with a flipped bit in its head', (path: string) => flipBit(path, 60)],
    ['with bits set in its padding', (path: string) => flipBit(path, headSize - 1)],
  ])('a file that is %s is put aside on the next reading', async (_, damage) => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    damage(shardFile(scratch.path, first.head));
    expect(await opened.store.verify(pack, 0)).toContain('damaged');
    expect(opened.store.indexes(pack)).toEqual([]);
    expect(readdirSync(join(scratch.path, 'quarantine'))).toEqual([`${pack}.0.0`]);
    expect(opened.lines.at(-1)).toMatchObject({ level: 'error', context: { pack, index: 0 } });
  });

  test('swapped files are put aside, each sound as it is', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    for (const shard of [first, second]) await storeShard(opened.store, shard);
    swapFiles(shardFile(scratch.path, first.head), shardFile(scratch.path, second.head));
    await expect(opened.store.head(pack, 0)).rejects.toMatchObject({ code: 'corrupt' });
    await expect(opened.store.read(pack, 1, 0, 1)).rejects.toMatchObject({ code: 'corrupt' });
    expect(opened.store.indexes(pack)).toEqual([]);
  });

  test('a file that has gone is no longer listed, and is stored anew', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    unlinkSync(shardFile(scratch.path, first.head));
    await expect(opened.store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
    expect(opened.store.usage()).toMatchObject({ shards: 0, bytes: 0 });
    await storeShard(opened.store, first);
    unlinkSync(shardFile(scratch.path, first.head));
    await storeShard(opened.store, first);
    expect(await opened.store.verify(pack, 0)).toBeUndefined();
  });

  test('a directory that goes before its names are durable takes its shards along, and nothing else', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    for (const shard of [first, second, other]) await storeShard(opened.store, shard);
    rmSync(dirname(shardFile(scratch.path, first.head)), { recursive: true });
    await opened.store.sync();
    expect(opened.store.indexes(pack)).toEqual([]);
    expect(opened.store.indexes(other.head.pack)).toEqual([0]);
    await storeShard(opened.store, first);
    await opened.store.sync();
    expect(await opened.store.verify(pack, 0)).toBeUndefined();
  });

  test('the trash and the quarantine are made again when somebody has removed them', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    for (const shard of [first, second]) await storeShard(opened.store, shard);
    for (const name of ['trash', 'quarantine'])
      rmSync(join(scratch.path, name), { recursive: true });
    await opened.store.discard(pack, 0);
    rmSync(dirname(shardFile(scratch.path, first.head)), { recursive: true });
    expect(await opened.store.recover(pack, 0)).toBe(true);
    rmSync(join(scratch.path, 'trash'), { recursive: true });
    await opened.store.sync();
    flipBit(shardFile(scratch.path, first.head), headSize);
    await opened.store.verify(pack, 0);
    expect(readdirSync(join(scratch.path, 'quarantine'))).toEqual([`${pack}.0.0`]);
  });

  test('a directory that cannot be opened for a while is made durable later', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    const bucket = dirname(shardFile(scratch.path, first.head));
    renameSync(bucket, `${bucket}.away`);
    symlinkSync(`${bucket}.loop`, `${bucket}.loop`);
    symlinkSync(`${bucket}.loop`, bucket);
    await expect(opened.store.sync()).rejects.toMatchObject({ details: {} });
    rmSync(bucket);
    renameSync(`${bucket}.away`, bucket);
    await opened.store.sync();
    await storeShard(opened.store, second);
    expect(opened.store.indexes(pack)).toEqual([0, 1]);
  });

  test('the quarantine keeps each damaged file, up to a bound', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    const quarantine = join(scratch.path, 'quarantine');
    for (let n = 0; n < 3; n++) {
      await storeShard(opened.store, other);
      flipBit(shardFile(scratch.path, other.head), headSize + n);
      await opened.store.verify(other.head.pack, 0);
    }
    expect(readdirSync(quarantine).sort()).toEqual(
      [0, 1, 2].map((n) => `${other.head.pack}.0.${n}`),
    );
    for (let n = 3; n < 64; n++) writeFileSync(join(quarantine, String(n)), '');
    await storeShard(opened.store, first);
    flipBit(shardFile(scratch.path, first.head), headSize + 0);
    await opened.store.verify(pack, 0);
    expect(readdirSync(quarantine)).toHaveLength(64);
    expect(existsSync(shardFile(scratch.path, first.head))).toBe(false);
  });

  test('many readers of one damaged shard are all refused, and it is put aside once', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    flipBit(shardFile(scratch.path, first.head), headSize + 0);
    const reads = Array.from({ length: 5 }, () => opened.store.read(pack, 0, 0, 1));
    const outcomes = await Promise.allSettled(reads);
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(readdirSync(join(scratch.path, 'quarantine'))).toHaveLength(1);
    expect(opened.store.usage()).toMatchObject({ shards: 0, bytes: 0 });
  });
});

describe('a partial file', () => {
  test.each([
    ['whole leaves', 2 * limits.leafSize, 2],
    ['a torn leaf', 2 * limits.leafSize + 100, 2],
    ['nothing', 0, 0],
    ['every leaf', first.bytes.length, leafCount],
  ])('that has %s goes on after its last good leaf', async (_, size, nextLeaf) => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    plantPartial(scratch.path, first, headSize + size);
    const writer = await opened.store.write(first.head);
    expect(writer.nextLeaf).toBe(nextLeaf);
    await writer.append(leavesOf(first, nextLeaf));
    await writer.finish();
    expect(await opened.store.verify(pack, 0)).toBeUndefined();
  });

  test('with a flipped bit goes on before it', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    const path = plantPartial(scratch.path, first, headSize + first.bytes.length);
    flipBit(path, headSize + limits.leafSize + 9);
    const writer = await opened.store.write(first.head);
    expect(writer.nextLeaf).toBe(1);
    expect(statSync(path).size).toBe(headSize + limits.leafSize);
    await writer.abandon();
  });

  test.each([
    ['a torn head', headSize - 1],
    ['no bytes', 0],
  ])('that has %s starts anew', async (_, size) => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    plantPartial(scratch.path, first, size);
    const writer = await opened.store.write(first.head);
    expect(writer.nextLeaf).toBe(0);
    await writer.append(first.bytes);
    await writer.finish();
    expect(await opened.store.verify(pack, 0)).toBeUndefined();
  });

  test('with the head of another writer of the same pack starts anew', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    plantPartial(scratch.path, first, headSize + first.bytes.length);
    const head = { ...first.head, type: 'metadata' as const };
    const writer = await opened.store.write(head);
    expect(writer.nextLeaf).toBe(0);
    await writer.append(first.bytes);
    await writer.finish();
    expect(await opened.store.head(pack, 0)).toEqual(head);
  });

  test('that nobody has touched for a week is removed by a rebuild, unless it is in use', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    const writer = await opened.store.write(second.head);
    const used = `${shardFile(scratch.path, second.head)}.part`;
    const old = plantPartial(scratch.path, first, headSize);
    const young = `${shardFile(scratch.path, other.head)}.part`;
    mkdirSync(dirname(young), { recursive: true });
    writeFileSync(young, '');
    for (const path of [old, used]) utimesSync(path, 1, Date.now() / 1000 - 8 * 86_400);
    await opened.store.rebuild();
    expect([old, used, young].map((path) => existsSync(path))).toEqual([false, true, true]);
    await writer.abandon();
  });
});

describe('room on the disk', () => {
  test('free bytes leave out the reserve', async () => {
    await using scratch = scratchDirectory();
    await using all = await openStore(scratch.path);
    const { freeBytes } = all.store.usage();
    await using reserving = await openStore(scratch.path, { reserveBytes: freeBytes / 2 });
    expect(reserving.store.usage().freeBytes).toBeLessThan(freeBytes * 0.6);
    expect(reserving.store.usage().freeBytes).toBeGreaterThan(freeBytes * 0.4);
  });

  test('a shard that would use up the reserve is refused before a byte is written', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path, { reserveBytes: 2 ** 60 });
    await expect(opened.store.write(first.head)).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining(scratch.path),
      next: expect.stringContaining('free space'),
    });
    expect(opened.store.usage().freeBytes).toBe(0);
    expect(existsSync(join(scratch.path, pack.slice(0, 2)))).toBe(false);
  });

  test.skipIf(!canMount())('shards under way count as if they were written', async () => {
    await using disk = smallDisk('400k');
    const opened = await openStore(disk.path);
    const writers = [await opened.store.write(first.head), await opened.store.write(second.head)];
    await expect(opened.store.write(other.head)).rejects.toMatchObject({ code: 'disk-full' });
    for (const writer of writers) await writer.abandon();
    await opened.store[Symbol.asyncDispose]();
  });

  test.skipIf(!canMount())(
    'a disk that fills up meanwhile keeps what is good, and goes on later',
    async () => {
      await using disk = smallDisk('512k');
      const opened = await openStore(disk.path);
      const writer = await opened.store.write(first.head);
      await writer.append(leavesOf(first, 0, 1));
      const filler = join(disk.path, 'filler');
      expect(() => writeFileSync(filler, new Uint8Array(1 << 20))).toThrow('ENOSPC');
      await expect(writer.append(leavesOf(first, 1))).rejects.toMatchObject({
        code: 'disk-full',
        message: expect.stringContaining(disk.path),
      });
      expect(writer.nextLeaf).toBe(1);
      rmSync(filler);
      await writer.append(leavesOf(first, 1));
      await writer.finish();
      expect(await opened.store.verify(pack, 0)).toBeUndefined();
      await opened.store[Symbol.asyncDispose]();
    },
  );
});

describe('a directory that cannot be synced', () => {
  test.skipIf(process.platform !== 'linux')(
    'ends all claims that anything is durable',
    async () => {
      await using scratch = scratchDirectory();
      const directory = join(scratch.path, 'shards');
      mkdirSync(directory);
      const { store } = await openStore(directory);
      await storeShard(store, first);
      const bucket = join(directory, pack.slice(0, 2));
      renameSync(bucket, `${bucket}.away`);
      // It can be opened, and no sync of it succeeds.
      symlinkSync('/proc/self', bucket);
      const failure = { code: 'io-error', details: { fatal: true } };
      await expect(store.sync()).rejects.toMatchObject(failure);
      rmSync(bucket);
      renameSync(`${bucket}.away`, bucket);
      await expect(store.sync()).rejects.toMatchObject(failure);
      await expect(store.write(other.head)).rejects.toMatchObject(failure);
      expect(store.usage().failure).toContain('did not take');
      // Started again, it goes by what is there.
      await using again = await openStore(directory);
      expect(again.store.usage().failure).toBeUndefined();
    },
  );
});
