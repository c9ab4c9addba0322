import { expect, test } from 'vitest';
import { Device } from '../../../../sim/data/device.ts';
import { ShardFiles } from '../../../../sim/data/shard-files.ts';
import { SimShards } from '../../../../sim/data/shards.ts';
import { IndexFile, SimIndex } from '../../../../sim/data/stores.ts';
import { Life, World } from '../../../../sim/world.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { keyValueContract } from '../../../contract/key-value.ts';
import { shardStoreContract, storeShard } from '../../../contract/shard-store.ts';
import { leavesOf, type SampleShard, samplePack } from '../../../support/sample-pack.ts';

/** Virtual time passes by itself, until the end. */
function passing(world: World): AsyncDisposable {
  let isOver = false;
  const pass = async (): Promise<void> => {
    while (!isOver) await world.advance(10);
  };
  const passed = pass();
  return {
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await passed;
    },
  };
}

function opened(files = new ShardFiles()) {
  const world = new World(1);
  const device = new Device(world);
  const life = new Life();
  const store = new SimShards({ files, device, life, capacity: () => 1e9 });
  return { world, device, life, store, files, time: passing(world) };
}

shardStoreContract('the simulated store', async () => {
  const { store, files, time } = opened();
  return {
    store,
    flipBit: async ({ pack, index }, offset) => {
      const file = files.files.get(`${pack}.${index}`);
      if (file === undefined) throw new Error('no such shard');
      file.bytes = file.bytes.slice();
      file.bytes[offset] = (file.bytes[offset] as number) ^ 1;
    },
    [Symbol.asyncDispose]: () => time[Symbol.asyncDispose](),
  };
});

keyValueContract('the simulated index', async () => {
  const world = new World(1);
  const time = passing(world);
  const index = new SimIndex(new IndexFile(), new Device(world), new Life());
  return { index, [Symbol.asyncDispose]: () => time[Symbol.asyncDispose]() };
});

const [shard] = samplePack({ seed: 1 }) as [SampleShard];
const { pack, index } = shard.head;

test('a shard whose name was synced survives a crash, one whose name was not may be lost', async () => {
  let lost = 0;
  for (let i = 0; i < 40; i++) {
    const { store, files, world, time } = opened();
    await storeShard(store, shard);
    const isSynced = i % 2 === 0;
    if (isSynced) await store.sync();
    await time[Symbol.asyncDispose]();
    for (let j = 0; j < i; j++) world.random.next();
    files.crash(world.random);
    const after = opened(files);
    const isThere = after.store.indexes(pack).includes(index);
    await after.time[Symbol.asyncDispose]();
    if (isSynced) expect(isThere).toBe(true);
    else lost += isThere ? 0 : 1;
  }
  expect(lost).toBeGreaterThan(2);
  expect(lost).toBeLessThan(18);
});

test('what a crash has torn is not taken for good when the shard is resumed', async () => {
  const { store, files, world, time } = opened();
  const writer = await store.write(shard.head);
  await writer.append(leavesOf(shard, 0, 2));
  await time[Symbol.asyncDispose]();
  files.crash(world.random);
  const after = opened(files);
  await storeShard(after.store, shard);
  expect(await after.store.verify(pack, index)).toBeUndefined();
  await after.time[Symbol.asyncDispose]();
});

test('a crash takes the newest batches of an index, and never one that was durable', async () => {
  const world = new World(3);
  const time = passing(world);
  const file = new IndexFile();
  const index = new SimIndex(file, new Device(world), new Life());
  const put = (key: string, durable: boolean): Promise<void> =>
    index.batch([{ type: 'put', key: utf8(key), value: utf8(key) }], { durable });
  await put('a', false);
  await put('b', true);
  for (const key of ['c', 'd', 'e']) await put(key, false);
  await time[Symbol.asyncDispose]();
  while (file.crash(world.random) === 0) file.unsynced.push({ undo: [['e', undefined]] });
  const left = ['a', 'b', 'c', 'd', 'e'].filter((key) => index.get(utf8(key)) !== undefined);
  expect('abcde'.startsWith(left.join(''))).toBe(true);
  expect(left.slice(0, 2)).toEqual(['a', 'b']);
  expect(left.length).toBeLessThan(5);
});
