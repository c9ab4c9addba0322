import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { equal } from '../../../src/base/bytes.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import type { ShardStore } from '../../../src/ports/shard-store.ts';
import { Outbox } from '../../../src/services/outbox.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';
import { leavesOf, type SampleShard, samplePack } from '../../support/sample-pack.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { type OpenedStore, openStore } from '../../support/shard-files.ts';

const ada = 'aa'.repeat(32) as AgentKey;
const bob = 'bb'.repeat(32) as AgentKey;
const shards = samplePack({ seed: 1, k: 1, m: 1, packSize: 3_000_000 });
const [shard, other] = shards as [SampleShard, SampleShard];

let scratch: ReturnType<typeof scratchDirectory>;
let opened: OpenedStore;
let index: MemoryKeyValue;
let outbox: Outbox;

beforeEach(async () => {
  scratch = scratchDirectory();
  opened = await openStore(scratch.path);
  index = new MemoryKeyValue();
  outbox = await Outbox.open(opened.store, index);
});

afterEach(async () => {
  await opened[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

function parcelOf({ head: { pack, index: at } }: SampleShard) {
  return { pack, index: at };
}

/** An outbox of the same index over a store that does something else in one place. */
function over(change: Partial<ShardStore>): Promise<Outbox> {
  const { store } = opened;
  const bound = new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get({ ...change }, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return Outbox.open(bound, index);
}

describe('a shard kept for a peer', () => {
  test('can be read back, all of it', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    const { pack, index: at } = parcelOf(shard);
    expect(outbox.has(pack, at)).toBe(true);
    expect(await outbox.head(parcelOf(shard))).toEqual(shard.head);
    expect(equal(await outbox.read(pack, at, 0, 46), shard.bytes)).toBe(true);
    expect(outbox.parcels(ada)).toEqual([parcelOf(shard)]);
    expect(outbox.parcels(bob)).toEqual([]);
    expect(outbox.sizeBytes).toBe(shard.bytes.length);
  });

  test('is still wanted after a restart', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    await outbox.keep(bob, other.head, other.bytes);
    const again = await Outbox.open(opened.store, index);
    expect(again.agents().sort()).toEqual([ada, bob]);
    expect(again.parcels(ada)).toEqual([parcelOf(shard)]);
    expect(again.parcels(bob)).toEqual([parcelOf(other)]);
  });

  test('goes on where an interrupted attempt ended', async () => {
    const writer = await opened.store.write(shard.head);
    await writer.append(leavesOf(shard, 0, 20));
    await writer.abandon();
    await outbox.keep(ada, shard.head, shard.bytes);
    expect(await opened.store.verify(shard.head.pack, shard.head.index)).toBeUndefined();
  });

  test('is wanted by nobody when it could not be made durable', async () => {
    const failing = await over({ sync: () => Promise.reject(new Error('the disk is gone')) });
    await expect(failing.keep(ada, shard.head, shard.bytes)).rejects.toThrow('the disk is gone');
    expect(failing.agents()).toEqual([]);
    expect((await Outbox.open(opened.store, index)).agents()).toEqual([]);
  });

  test('is gone, file and all, once the peer has it', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    await outbox.drop(ada, parcelOf(shard));
    expect(outbox.agents()).toEqual([]);
    expect(outbox.has(shard.head.pack, shard.head.index)).toBe(false);
    expect(opened.store.usage().shards).toBe(0);
    expect((await Outbox.open(opened.store, index)).agents()).toEqual([]);
  });
});

describe('one copy wanted by two peers', () => {
  test('is kept once, until the last of them has it', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    await outbox.keep(bob, shard.head, shard.bytes);
    expect(opened.store.usage().shards).toBe(1);
    await outbox.drop(ada, parcelOf(shard));
    expect(outbox.agents()).toEqual([bob]);
    expect(outbox.has(shard.head.pack, shard.head.index)).toBe(true);
    await outbox.drop(bob, parcelOf(shard));
    expect(outbox.has(shard.head.pack, shard.head.index)).toBe(false);
  });

  test('can be kept for both at the same time', async () => {
    await Promise.all([ada, bob].map((agent) => outbox.keep(agent, shard.head, shard.bytes)));
    expect(outbox.agents().sort()).toEqual([ada, bob]);
    expect(opened.store.usage().shards).toBe(1);
  });

  test('stays when the one takes it while it is being kept for the other', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    let dropped: Promise<void> | undefined;
    const slow: Outbox = await over({
      sync: async () => {
        // The one takes it just when the other's copy has been found to be there already.
        dropped ??= slow.drop(ada, parcelOf(shard));
        await dropped;
        await opened.store.sync();
      },
    });
    await slow.keep(bob, shard.head, shard.bytes);
    await dropped;
    expect(slow.agents()).toEqual([bob]);
    expect(await opened.store.verify(shard.head.pack, shard.head.index)).toBeUndefined();
  });

  test('is written again when it is kept while it is being removed', async () => {
    await outbox.keep(ada, shard.head, shard.bytes);
    const dropped = outbox.drop(ada, parcelOf(shard));
    await Promise.all([dropped, outbox.keep(bob, shard.head, shard.bytes)]);
    expect(outbox.agents()).toEqual([bob]);
    expect(await opened.store.verify(shard.head.pack, shard.head.index)).toBeUndefined();
  });
});
