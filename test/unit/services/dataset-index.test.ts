import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { hash } from '../../../src/core/crypto/hash.ts';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { IndexRecord } from '../../../src/core/format/index-segment.ts';
import type { DatasetId } from '../../../src/core/ids.ts';
import type { KeyValue } from '../../../src/ports/key-value.ts';
import { DatasetIndex, type KnownSegment } from '../../../src/services/dataset-index.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';
import { packIdAt } from '../core/format/samples.ts';

const home = '01'.repeat(16) as DatasetId;
const work = '02'.repeat(16) as DatasetId;

let store: MemoryKeyValue;
let index: DatasetIndex;

beforeEach(async () => {
  store = new MemoryKeyValue();
  index = await DatasetIndex.open(store, home);
});

function chunk(i: number): Uint8Array {
  return hash('fact', utf8(`chunk ${i}`));
}

function entryAt(i: number): PackEntry {
  return { pack: packIdAt(i), k: 3, m: 2, type: 'data', size: 100_000 + i };
}

function recordsOf(pack: number, chunks: readonly number[]): IndexRecord[] {
  return chunks.map((i, at) => ({
    id: chunk(i),
    pack: packIdAt(pack),
    frame: 0,
    frameOffset: 60,
    frameSize: 900,
    offset: at * 10,
    length: 10,
  }));
}

/** A pack that holds these chunks. */
async function addPack(pack: number, chunks: readonly number[], of = index): Promise<number> {
  const ordinal = of.takeOrdinal();
  await of.addPack(ordinal, entryAt(pack), recordsOf(pack, chunks));
  return ordinal;
}

function segmentOf(number: number, packs: readonly number[]): KnownSegment {
  const place = { frame: 1, frameOffset: 5000, frameSize: 400, offset: 7, length: 390 };
  return { number, blob: { pack: packIdAt(90 + number), ...place }, count: 12, packs };
}

describe('chunks', () => {
  test('are found in the pack that was added with them, after a restart too', async () => {
    const first = await addPack(1, [1, 2]);
    const second = await addPack(2, [3]);
    for (const one of [index, await DatasetIndex.open(store, home)]) {
      expect([1, 2, 3, 4].map((i) => one.find(chunk(i)))).toEqual([
        first,
        first,
        second,
        undefined,
      ]);
      expect(one.pack(second)).toMatchObject({ entry: entryAt(2), isIndexed: false });
      expect([...one.packs()].map((pack) => pack.entry)).toEqual([entryAt(1), entryAt(2)]);
      const byId = recordsOf(1, [1, 2]).sort((a, b) => Buffer.compare(a.id, b.id));
      expect(one.records(first)).toEqual(byId);
    }
  });

  test('of a pack that was never finished have to be stored again', async () => {
    const ordinal = index.takeOrdinal();
    expect(index.find(chunk(1))).toBeUndefined();
    expect(index.pack(ordinal)).toBeUndefined();
    expect(index.records(ordinal)).toEqual([]);
  });

  test('are found the same when their ids are kept in memory', async () => {
    const first = await addPack(1, [1, 2]);
    for (let i = 0; i < 1000; i++) index.find(chunk(3));
    await index.rememberIds();
    const gets = store.getCount;
    expect([1, 2, 3].map((i) => index.find(chunk(i)))).toEqual([first, first, undefined]);
    expect(store.getCount - gets).toBe(2);
    const second = await addPack(2, [3]);
    expect(index.find(chunk(3))).toBe(second);
    await index.forgetPacks([packIdAt(1)]);
    expect(index.find(chunk(1))).toBeUndefined();
    index.forgetIds();
    expect(index.find(chunk(3))).toBe(second);
  });

  test('of another dataset are unknown', async () => {
    await addPack(1, [1]);
    const other = await DatasetIndex.open(store, work);
    expect(other.find(chunk(1))).toBeUndefined();
    await addPack(2, [2], other);
    expect((await DatasetIndex.open(store, home)).find(chunk(2))).toBeUndefined();
    expect([...(await DatasetIndex.open(store, work)).packs()]).toHaveLength(1);
  });

  test('whose pack has been forgotten are not found', async () => {
    const ordinal = await addPack(1, [1]);
    const entries = [];
    const all = [new Uint8Array(0), new Uint8Array(60).fill(0xff)] as const;
    for await (const entry of store.range(...all)) entries.push(entry);
    const pack = entries.filter(({ key }) => key[16] === 0x70);
    expect(pack).toHaveLength(1);
    await store.batch(pack.map(({ key }) => ({ type: 'delete', key })));
    const again = await DatasetIndex.open(store, home);
    expect(again.find(chunk(1))).toBeUndefined();
    expect(again.pack(ordinal)).toBeUndefined();
  });

  test('are unknown when the pack could not be made durable', async () => {
    const full = failing(store);
    const one = await DatasetIndex.open(full, home);
    await expect(addPack(1, [1], one)).rejects.toThrow('no room');
    expect(one.find(chunk(1))).toBeUndefined();
    expect([...one.packs()]).toEqual([]);
  });
});

/** A store that reads as the other does and keeps nothing more. */
function failing(other: KeyValue): KeyValue {
  return {
    get: (key) => other.get(key),
    range: (from, to) => other.range(from, to),
    batch: () => Promise.reject(new Error('no room')),
    [Symbol.asyncDispose]: async () => {},
  };
}

describe('ordinals', () => {
  test('of known packs are never given again, after a restart either', async () => {
    const taken = [await addPack(1, [1]), await addPack(2, [2])];
    const again = await DatasetIndex.open(store, home);
    expect(taken).not.toContain(again.takeOrdinal());
    expect(new Set([...taken, index.takeOrdinal(), index.takeOrdinal()]).size).toBe(4);
  });

  test('stand above those of packs that were finished out of order', async () => {
    const [first, second] = [index.takeOrdinal(), index.takeOrdinal()];
    await index.addPack(second, entryAt(2), recordsOf(2, [2]));
    const again = await DatasetIndex.open(store, home);
    expect(again.takeOrdinal()).toBeGreaterThan(second);
    expect(first).toBeLessThan(second);
  });
});

describe('index segments', () => {
  test('come back as they were, with their packs marked as indexed', async () => {
    const packs = [await addPack(1, [1]), await addPack(2, [2])];
    const later = await addPack(3, [3]);
    const segment = segmentOf(index.nextSegmentNumber(), packs);
    await index.replaceSegments([], [segment]);
    for (const one of [index, await DatasetIndex.open(store, home)]) {
      expect(one.segments()).toEqual([segment]);
      expect([...packs, later].map((ordinal) => one.pack(ordinal)?.isIndexed)).toEqual([
        true,
        true,
        false,
      ]);
      expect(one.records(packs[0] as number)).toEqual(recordsOf(1, [1]));
      expect(one.nextSegmentNumber()).toBeGreaterThan(segment.number);
    }
  });

  test('take the place of others', async () => {
    const packs = [await addPack(1, [1]), await addPack(2, [2]), await addPack(3, [3])];
    const [a, b, c] = packs as [number, number, number];
    await index.replaceSegments([], [segmentOf(1, [a]), segmentOf(2, [b])]);
    await index.replaceSegments([1, 2], [segmentOf(3, [a, b, c])]);
    for (const one of [index, await DatasetIndex.open(store, home)]) {
      expect(one.segments()).toEqual([segmentOf(3, [a, b, c])]);
      expect(packs.every((ordinal) => one.pack(ordinal)?.isIndexed)).toBe(true);
    }
  });

  test('that could not be kept leave their packs to be indexed again', async () => {
    const ordinal = await addPack(1, [1]);
    const one = await DatasetIndex.open(failing(store), home);
    await expect(one.replaceSegments([], [segmentOf(1, [ordinal])])).rejects.toThrow('no room');
    expect(one.pack(ordinal)?.isIndexed).toBe(false);
    expect(one.segments()).toEqual([]);
  });

  test('are not needed for packs without chunks of their own', async () => {
    const ordinal = await addPack(1, []);
    expect(index.pack(ordinal)?.isIndexed).toBe(true);
    expect((await DatasetIndex.open(store, home)).pack(ordinal)?.isIndexed).toBe(true);
  });
});

describe('packs that are lost', () => {
  test('take their chunks with them: those are to be stored anew', async () => {
    const lost = await addPack(1, [1, 2]);
    const kept = await addPack(2, [3]);
    await index.forgetPacks([packIdAt(1)]);
    for (const one of [index, await DatasetIndex.open(store, home)]) {
      expect([1, 2, 3].map((i) => one.find(chunk(i)))).toEqual([undefined, undefined, kept]);
      expect(one.pack(lost)).toBeUndefined();
      expect(one.records(lost)).toEqual([]);
      expect([...one.packs()].map(({ ordinal }) => ordinal)).toEqual([kept]);
    }
  });

  test('leave their numbers taken, or old chunks would be looked for in new packs', async () => {
    const lost = await addPack(1, [1]);
    await index.forgetPacks([packIdAt(1)]);
    const again = await DatasetIndex.open(store, home);
    const next = await addPack(2, [2], again);
    expect(next).not.toBe(lost);
    expect(again.find(chunk(1))).toBeUndefined();
  });

  test('are listed by no segment any more, and their neighbours are listed anew', async () => {
    const [a, b, c] = [await addPack(1, [1]), await addPack(2, [2]), await addPack(3, [3])];
    await index.replaceSegments([], [segmentOf(1, [a, b]), segmentOf(2, [c])]);
    await index.forgetPacks([packIdAt(1)]);
    for (const one of [index, await DatasetIndex.open(store, home)]) {
      expect(one.segments().map(({ number }) => number)).toEqual([2]);
      expect([b, c].map((ordinal) => one.pack(ordinal)?.isIndexed)).toEqual([false, true]);
      expect(one.records(b)).toEqual(recordsOf(2, [2]));
    }
  });

  test('take the segments that lay in them along', async () => {
    const a = await addPack(1, [1]);
    const segment = segmentOf(1, [a]);
    await index.replaceSegments([], [segment]);
    const segmentPack = index.takeOrdinal();
    await index.addPack(segmentPack, { ...entryAt(2), pack: segment.blob.pack }, []);
    await index.forgetPacks([segment.blob.pack]);
    expect(index.segments()).toEqual([]);
    expect(index.pack(a)?.isIndexed).toBe(false);
    expect(index.find(chunk(1))).toBe(a);
  });

  test('stay known when that could not be kept', async () => {
    const ordinal = await addPack(1, [1]);
    const one = await DatasetIndex.open(failing(store), home);
    await expect(one.forgetPacks([packIdAt(1)])).rejects.toThrow('no room');
    expect(one.find(chunk(1))).toBe(ordinal);
  });
});
