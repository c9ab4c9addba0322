import { randomFillSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../src/adapters/compute/inline.ts';
import { hash } from '../../../src/core/crypto/hash.ts';
import type { PackType } from '../../../src/core/format/frame.ts';
import { limits } from '../../../src/core/limits.ts';
import { ContentSink } from '../../../src/services/content-sink.ts';
import { DatasetIndex } from '../../../src/services/dataset-index.ts';
import { PackWriter, type WrittenPack } from '../../../src/services/pack-writer.ts';
import { dataset, plainSealer } from '../../support/build-snapshot.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';

const MiB = 1024 * 1024;

let store: MemoryKeyValue;
let index: DatasetIndex;
let placed: WrittenPack[];

beforeEach(async () => {
  store = new MemoryKeyValue();
  index = await DatasetIndex.open(store, dataset);
  placed = [];
});

/** A sink over real pack writers. `place` is called before a pack counts as placed. */
function sinkOf(
  place: (pack: WrittenPack) => Promise<void> = async () => {},
  bytesInFlightMax: number = limits.backupBytesInFlightMax,
): ContentSink {
  const sealer = plainSealer();
  const writer = (type: PackType): PackWriter =>
    new PackWriter({
      dataset,
      recipient: 'IDENTITY-1',
      keyEpoch: 1,
      type,
      code: { k: 1, m: 0 },
      compressionLevel: 1,
      compute: inlineCompute(),
      sealer,
      entropy: { bytes: (count) => randomFillSync(new Uint8Array(count)) },
      takeOrdinal: () => index.takeOrdinal(),
      onPack: (pack) => sink.accept(pack),
      onProgress: () => sink.progress(),
    });
  const sink: ContentSink = new ContentSink({
    index,
    writers: { data: writer('data'), metadata: writer('metadata') },
    place: async (pack) => {
      await place(pack);
      placed.push(pack);
    },
    bytesInFlightMax,
  });
  return sink;
}

function chunk(i: number, size = 1000): { id: Uint8Array; bytes: Uint8Array } {
  const id = hash('fact', Uint8Array.of(i, i >> 8));
  return { id, bytes: randomFillSync(new Uint8Array(size)) };
}

function put(sink: ContentSink, i: number, type: PackType = 'data', size = 1000) {
  const { id, bytes } = chunk(i, size);
  return sink.store(type, id, bytes);
}

/** True when the promise settles without anybody else having to act. */
async function settles(work: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  work.then(note, note);
  for (let i = 0; i < 50 && !settled; i++) await setImmediate();
  return settled;
}

describe('a chunk', () => {
  test('is stored once: while its pack is open, being placed, durable, and after a restart', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = sinkOf(() => gate.promise);
    const first = put(sink, 1);
    expect(first.isNew).toBe(true);
    expect(put(sink, 1)).toEqual({ ordinal: first.ordinal, isNew: false });
    const flushing = sink.flush('data');
    await setImmediate();
    expect(put(sink, 1)).toEqual({ ordinal: first.ordinal, isNew: false });
    gate.resolve();
    await flushing;
    expect(put(sink, 1)).toEqual({ ordinal: first.ordinal, isNew: false });
    index = await DatasetIndex.open(store, dataset);
    expect(put(sinkOf(), 1)).toEqual({ ordinal: first.ordinal, isNew: false });
    expect(placed.flatMap(({ records }) => records)).toHaveLength(1);
    expect(sink).toMatchObject({ chunksNew: 1, packsWritten: 1 });
    expect(sink.bytesWritten).toBe(placed[0]?.entry.size);
  });

  test('that is in a metadata pack is not stored among the data again', async () => {
    const sink = sinkOf();
    const first = put(sink, 1, 'metadata');
    expect(put(sink, 1, 'data')).toEqual({ ordinal: first.ordinal, isNew: false });
  });

  test('of a pack that never became durable is stored again after a restart', async () => {
    const lost = sinkOf(() => new Promise(() => {}));
    put(lost, 1);
    void lost.flush('data');
    await setImmediate();
    index = await DatasetIndex.open(store, dataset);
    expect(put(sinkOf(), 1).isNew).toBe(true);
  });

  test('makes its pack durable only once the pack is placed', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = sinkOf(() => gate.promise);
    const { ordinal } = put(sink, 1);
    const flushing = sink.flush('data');
    await setImmediate();
    expect(sink.isDurable(ordinal)).toBe(false);
    expect(index.pack(ordinal)).toBeUndefined();
    gate.resolve();
    await flushing;
    expect(sink.isDurable(ordinal)).toBe(true);
    expect(index.pack(ordinal)?.entry).toEqual(placed[0]?.entry);
  });
});

describe('back-pressure', () => {
  test('holds whoever asks while too many bytes are on their way, and lets go when they have arrived', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = sinkOf(() => gate.promise, 10 * MiB);
    for (let i = 0; i < 21; i++) put(sink, i, 'data', MiB);
    const ready = sink.ready();
    expect(await settles(ready)).toBe(false);
    gate.resolve();
    expect(await settles(ready)).toBe(true);
  });

  test('does not hold for chunks that are known already', async () => {
    const sink = sinkOf(undefined, 1000);
    put(sink, 1);
    await sink.flush('data');
    for (let i = 0; i < 5; i++) put(sink, 1);
    expect(await settles(sink.ready())).toBe(true);
  });

  test('never waits for a pack that nobody closes, however well the chunks compress', async () => {
    const sink = sinkOf();
    for (let i = 0; i < 80; i++) {
      if (!(await settles(sink.ready()))) expect.fail(`waits for ever after ${i} MiB`);
      sink.store('data', chunk(i).id, new Uint8Array(MiB).fill(i));
      // Frames are sealed between batches, so that the pack's size is known to be small.
      await setImmediate();
    }
    await sink.flush('data');
    expect(placed.flatMap(({ records }) => records)).toHaveLength(80);
  });
});

describe('a failure to place a pack', () => {
  const refuse = async (): Promise<void> => {
    throw new Error('nowhere to put it');
  };

  test('surfaces when flushed, and wherever the work goes on', async () => {
    const sink = sinkOf(refuse);
    const { ordinal } = put(sink, 1);
    await expect(sink.flush('data')).rejects.toThrow('nowhere to put it');
    expect(() => put(sink, 2)).toThrow('nowhere to put it');
    await expect(sink.ready()).rejects.toThrow('nowhere to put it');
    expect(sink.isDurable(ordinal)).toBe(false);
    expect([...index.packs()]).toEqual([]);
    expect(sink.packsWritten).toBe(0);
  });

  test('wakes who waits for room', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = sinkOf(() => gate.promise, 10 * MiB);
    for (let i = 0; i < 17; i++) put(sink, i, 'data', MiB);
    const ready = sink.ready();
    expect(await settles(ready)).toBe(false);
    gate.reject(new Error('nowhere to put it'));
    await expect(ready).rejects.toThrow('nowhere to put it');
  });

  test('in the index counts like any other', async () => {
    store.batch = () => Promise.reject(new Error('the index is full'));
    const sink = sinkOf();
    put(sink, 1);
    await expect(sink.flush('data')).rejects.toThrow('the index is full');
    expect(index.find(chunk(1).id)).toBeUndefined();
  });
});
