import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dayMs } from '../../../../src/base/units.ts';
import { openObjectDirectory } from '../../../../src/adapters/fs/object-directory.ts';
import { objectStoreContract } from '../../../contract/object-store.ts';
import { shardStoreContract } from '../../../contract/shard-store.ts';
import { contractShards, openObjectShards } from '../../../support/object-shards.ts';
import { type SampleShard, samplePack } from '../../../support/sample-pack.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

objectStoreContract('a directory', async () => {
  const scratch = scratchDirectory();
  const store = openObjectDirectory(scratch.path);
  return { store, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
});

shardStoreContract('a slow directory', async () => {
  const scratch = scratchDirectory();
  return contractShards(openObjectDirectory(scratch.path), scratch);
});

test('a directory that is missing is a store that is away, for every question', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'mnt');
  const store = openObjectDirectory(path);
  const key = 'shards/00/a.0';
  const listed = async (): Promise<void> => {
    for await (const _ of store.list('shards/')) throw new Error('something is listed');
  };
  for (const ask of [
    () => store.abilities(),
    () => store.read(key, { from: 0, size: 1 }),
    () => store.sizeOf(key),
    () => store.create(key, Uint8Array.of(1)),
    () => store.replace(key, Uint8Array.of(1)),
    () => store.remove(key),
    listed,
  ]) {
    await expect(ask()).rejects.toMatchObject({ code: 'store-unreachable' });
  }
});

test('what a crash has left of a write is no object, and is not listed', async () => {
  await using scratch = scratchDirectory();
  const store = openObjectDirectory(scratch.path);
  mkdirSync(join(scratch.path, 'shards', '00'), { recursive: true });
  writeFileSync(join(scratch.path, 'shards', '00', 'a.0.abcdef.tmp'), 'half');
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  expect(found).toEqual([]);
  expect(await store.create('shards/00/a.0', Uint8Array.of(1))).toBe(true);
  expect(readdirSync(join(scratch.path, 'shards', '00'))).toContain('a.0');
});

test('what a crash has left of a write long ago is removed by a listing; a write under way is not', async () => {
  await using scratch = scratchDirectory();
  const store = openObjectDirectory(scratch.path);
  const folder = join(scratch.path, 'shards', '00');
  mkdirSync(folder, { recursive: true });
  const names = ['a.0.0123456789ab.tmp', 'b.0.0123456789ab.tmp', 'notes.tmp'];
  for (const name of names) writeFileSync(join(folder, name), 'half');
  const longAgo = new Date(Date.now() - 2 * dayMs);
  for (const name of [names[0], names[2]])
    utimesSync(join(folder, name as string), longAgo, longAgo);
  for await (const _ of store.list('shards/')) throw new Error('something is listed');
  expect(readdirSync(folder).sort()).toEqual(['b.0.0123456789ab.tmp', 'notes.tmp']);
});

test('a disk that is not mounted loses no shard: it is away, and back again', async () => {
  await using scratch = scratchDirectory();
  const [shard] = samplePack({ seed: 1 }) as [SampleShard];
  const { pack } = shard.head;
  const disk = join(scratch.path, 'disk');
  mkdirSync(disk);
  const { store } = await openObjectShards(openObjectDirectory(disk));
  const writer = await store.write(shard.head);
  await writer.append(shard.bytes);
  await writer.finish();
  renameSync(disk, `${disk}.away`);
  await expect(store.verify(pack, 0)).rejects.toMatchObject({ code: 'store-unreachable' });
  // The empty directory below the place of the mount.
  mkdirSync(disk);
  await expect(store.verify(pack, 0)).rejects.toMatchObject({ code: 'store-unreachable' });
  await expect(store.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(store.indexes(pack)).toEqual([0]);
  rmSync(disk, { recursive: true });
  renameSync(`${disk}.away`, disk);
  expect(await store.verify(pack, 0)).toBeUndefined();
});
