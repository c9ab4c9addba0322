import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openShardReader } from '../../../../src/adapters/fs/shard-reader.ts';
import type { PackId } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import type { ShardSource } from '../../../../src/ports/shard-store.ts';
import { storeShard } from '../../../contract/shard-store.ts';
import { expectSame } from '../../../support/same-bytes.ts';
import { type SampleShard, samplePack } from '../../../support/sample-pack.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { openStore, shardFile, swapFiles } from '../../../support/shard-files.ts';

const [first, second] = samplePack({ seed: 1 }) as [SampleShard, SampleShard];
const { pack } = first.head;

function reader(directory: string): ShardSource & AsyncDisposable {
  const opened = openShardReader(directory);
  if (opened === undefined) throw new Error('no directory of shards');
  return opened;
}

describe('the shards of a directory', () => {
  test('are read while the agent that owns them runs', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    await storeShard(opened.store, second);
    await using shards = reader(scratch.path);
    expect(shards.indexes(pack)).toEqual([0, 1]);
    expect(await shards.head(pack, 1)).toEqual(second.head);
    expectSame(await shards.read(pack, 1, 0, 100), second.bytes);
    expectSame(
      await shards.read(pack, 0, 1, 1),
      first.bytes.subarray(limits.leafSize, 2 * limits.leafSize),
    );
  });

  test('that are not there are not found', async () => {
    await using scratch = scratchDirectory();
    await using shards = reader(scratch.path);
    expect(shards.indexes(pack)).toEqual([]);
    await expect(shards.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('are refused when another stands under their name', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    await storeShard(opened.store, first);
    await storeShard(opened.store, second);
    swapFiles(shardFile(scratch.path, first.head), shardFile(scratch.path, second.head));
    await using shards = reader(scratch.path);
    await expect(shards.read(pack, 0, 0, 1)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('are many more than may be open at once', async () => {
    await using scratch = scratchDirectory();
    await using opened = await openStore(scratch.path);
    const packs: PackId[] = [];
    for (let seed = 10; seed < 50; seed++) {
      const [shard] = samplePack({ seed, k: 1, m: 0, packSize: 1000 }) as [SampleShard];
      await storeShard(opened.store, shard);
      packs.push(shard.head.pack);
    }
    await using shards = reader(scratch.path);
    for (const one of [...packs, ...packs]) {
      expect((await shards.read(one, 0, 0, 1)).length).toBe(1024);
    }
  });
});

test('there are none where there is no directory', () => {
  expect(openShardReader(join(import.meta.dirname, 'none'))).toBeUndefined();
});
