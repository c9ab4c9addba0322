import { createHash, randomFillSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../src/adapters/compute/inline.ts';
import { AssertionError } from '../../../src/base/assert.ts';
import { equal } from '../../../src/base/bytes.ts';
import { footerIndex, type PackType } from '../../../src/core/format/frame.ts';
import { decodeFooter, decodePackHeader, findFooter } from '../../../src/core/format/pack.ts';
import { packIdOf } from '../../../src/core/format/shard.ts';
import { idBytes } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import type { Compute } from '../../../src/ports/compute.ts';
import {
  blobOf,
  PackWriter,
  type PackWriterOptions,
  type WrittenPack,
} from '../../../src/services/pack-writer.ts';
import { dataset, plainSealer } from '../../support/build-snapshot.ts';

const MiB = 1024 * 1024;
const compute = inlineCompute();
const sealer = plainSealer();
const { identity } = await sealer.generate();

type Chunk = { readonly id: Uint8Array; readonly bytes: Uint8Array };

function writerOf(change: Partial<PackWriterOptions> = {}) {
  const packs: WrittenPack[] = [];
  let ordinals = 0;
  const writer = new PackWriter({
    dataset,
    recipient: identity,
    keyEpoch: 1,
    type: 'data',
    code: { k: 1, m: 0 },
    compressionLevel: 1,
    compute,
    sealer,
    entropy: { bytes: (count) => randomFillSync(new Uint8Array(count)) },
    takeOrdinal: () => ++ordinals,
    onPack: (pack) => packs.push(pack),
    ...change,
  });
  return { writer, packs };
}

function chunkAt(i: number, size: number, isCompressible = false): Chunk {
  const id = createHash('sha256').update(`${i}`).digest();
  const bytes = isCompressible
    ? new Uint8Array(size).fill(i)
    : randomFillSync(new Uint8Array(size));
  return { id: new Uint8Array(id), bytes };
}

/** Everything in a pack, as whoever has nothing but its shards and the key reads it: frame by frame. */
async function readBack(pack: WrittenPack, type: PackType = 'data'): Promise<Chunk[]> {
  const { size, k } = pack.entry;
  expect(size).toBeLessThanOrEqual(limits.packSizeMax);
  const bytes = Buffer.concat(pack.encoded.shards.slice(0, k)).subarray(0, size);
  const header = decodePackHeader(bytes);
  expect(header).toMatchObject({ type, dataset });
  const key = await sealer.open(identity, header.sealedKey);
  const open = async (at: number, length: number, index: bigint): Promise<Uint8Array> => {
    const context = { type, dataset: idBytes(dataset), salt: header.salt, index };
    const sealed = new Uint8Array(bytes.subarray(at, at + length));
    const plainSizeMax = index === footerIndex ? limits.packSizeMax : limits.frameSizeMax;
    return (await compute.openFrame({ sealed, key, context, plainSizeMax })).plain;
  };
  const place = findFooter(bytes, size);
  const frames = decodeFooter(await open(place.offset, place.size, footerIndex));
  const chunks: Chunk[] = [];
  let at = header.size;
  for (const [i, { sealedSize, chunks: listed }] of frames.entries()) {
    const plain = await open(at, sealedSize, BigInt(i));
    let offset = 0;
    for (const { id, length } of listed) {
      expect(pack.records[chunks.length]).toEqual({
        id,
        pack: pack.entry.pack,
        frame: i,
        frameOffset: at,
        frameSize: sealedSize,
        offset,
        length,
      });
      chunks.push({ id, bytes: plain.subarray(offset, offset + length) });
      offset += length;
    }
    expect(offset).toBe(plain.length);
    at += sealedSize;
  }
  expect(at).toBe(place.offset);
  expect(pack.records).toHaveLength(chunks.length);
  return chunks;
}

/** Writes the chunks, `atOnce` before sealing gets its turn, reads all packs, compares. @returns the packs. */
async function roundTrip(
  chunks: readonly Chunk[],
  atOnce = Number.POSITIVE_INFINITY,
): Promise<WrittenPack[]> {
  const { writer, packs } = writerOf();
  const ordinals: number[] = [];
  for (const { id, bytes } of chunks) {
    const copy = bytes.slice();
    ordinals.push(writer.add(id, copy));
    copy.fill(0xee);
    if (ordinals.length % atOnce === 0) await setImmediate();
  }
  await writer.flush();
  packs.sort((a, b) => a.ordinal - b.ordinal);
  const read: (Chunk & { ordinal: number })[] = [];
  for (const pack of packs) {
    for (const chunk of await readBack(pack)) read.push({ ...chunk, ordinal: pack.ordinal });
  }
  expect(read).toHaveLength(chunks.length);
  const isSame = read.map(
    ({ id, bytes, ordinal }, i) =>
      ordinal === ordinals[i] &&
      equal(id, (chunks[i] as Chunk).id) &&
      equal(bytes, (chunks[i] as Chunk).bytes),
  );
  expect(isSame.indexOf(false)).toBe(-1);
  return packs;
}

/** Takes over what it is given, as threads do. */
const takingCompute: Compute = {
  ...compute,
  encode: async (job) => {
    const parts = job.parts.map((part) => part.slice());
    for (const { buffer, byteLength } of job.parts) {
      if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer();
    }
    return compute.encode({ ...job, parts });
  },
};

test('says where chunks lie when nothing of the pack is left here', async () => {
  const { writer, packs } = writerOf({ compute: takingCompute });
  const chunk = chunkAt(1, 50_000);
  writer.add(chunk.id, chunk.bytes);
  await writer.flush();
  const [found] = await readBack(packs[0] as WrittenPack);
  expect(equal(found?.bytes ?? new Uint8Array(), chunk.bytes)).toBe(true);
});

describe('every chunk comes back, in order, from packs within their bounds', () => {
  test('of tiny, usual and huge chunks that compress or do not', async () => {
    const sizes = fc.oneof(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.constantFrom(limits.frameSizeTarget, limits.frameSizeMax - 1, limits.frameSizeMax),
    );
    const given = fc.array(fc.tuple(sizes, fc.boolean()), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(given, async (list) => {
        await roundTrip(list.map(([size, isCompressible], i) => chunkAt(i, size, isCompressible)));
      }),
      { numRuns: 12 },
    );
  });

  test('of more incompressible bytes than one pack holds', async () => {
    const count = 26;
    const chunks = Array.from({ length: count }, (_, i) => chunkAt(i, MiB - (i % 3) * 1000));
    const packs = await roundTrip(chunks);
    expect(packs.map(({ ordinal }) => ordinal)).toEqual([1, 2]);
    expect(packs[0]?.entry.size).toBeGreaterThanOrEqual(limits.packSizeTarget);
  });

  test('of so many tiny chunks that their number fills frames and packs', async () => {
    const chunks = Array.from({ length: 21_000 }, (_, i) => chunkAt(i, 1 + (i % 7)));
    const packs = await roundTrip(chunks);
    expect(packs.length).toBeGreaterThan(1);
    for (const { records } of packs) {
      expect(records.length).toBeLessThanOrEqual(limits.packChunksMax);
      const inFrames = Map.groupBy(records, ({ frame }) => frame);
      for (const some of inFrames.values()) {
        expect(some.length).toBeLessThanOrEqual(limits.frameChunksMax);
      }
    }
  });

  test('of bytes that compress so well that one pack holds far more than its size', async () => {
    const chunks = Array.from({ length: 50 }, (_, i) => chunkAt(i, MiB, true));
    const packs = await roundTrip(chunks, 4);
    for (const { entry, records } of packs) {
      const plainSize = records.reduce((sum, { length }) => sum + length, 0);
      expect(entry.size).toBeLessThan(plainSize / 10);
    }
  });
});

describe('a pack', () => {
  test('is named by what its shards are, of any code', async () => {
    const { writer, packs } = writerOf({ code: { k: 3, m: 2 }, type: 'metadata' });
    const chunk = chunkAt(1, 300_000);
    writer.add(chunk.id, chunk.bytes);
    await writer.flush();
    const [pack] = packs as [WrittenPack];
    const { k, m, size } = pack.entry;
    expect(pack.entry).toMatchObject({ k: 3, m: 2, type: 'metadata' });
    expect(pack.encoded.shards).toHaveLength(5);
    expect(pack.entry.pack).toBe(packIdOf({ k, m, packSize: size, roots: pack.encoded.roots }));
    const [read] = (await readBack(pack, 'metadata')) as [Chunk];
    expect(equal(read.bytes, chunk.bytes)).toBe(true);
  });

  test('has a key of its own, which nobody here keeps', async () => {
    const drawn: Uint8Array[] = [];
    const bytes = (count: number): Uint8Array => {
      const some = randomFillSync(new Uint8Array(count));
      drawn.push(some);
      return some;
    };
    const { writer, packs } = writerOf({ entropy: { bytes } });
    for (const i of [1, 2]) {
      const chunk = chunkAt(i, 1000);
      writer.add(chunk.id, chunk.bytes);
      await writer.flush();
    }
    const keys = drawn.filter(({ length }) => length === 32);
    expect(keys.map((key) => key.every((byte) => byte === 0))).toEqual([true, true]);
    const headers = packs.map(({ encoded }) => decodePackHeader(encoded.shards[0] as Uint8Array));
    const [a, b] = headers.map(({ sealedKey }) => Buffer.from(sealedKey).toString('hex'));
    expect(a).not.toBe(b);
  });

  test('is not made of nothing', async () => {
    const { writer, packs } = writerOf();
    await writer.flush();
    await writer.flush();
    expect(packs).toEqual([]);
  });

  test('takes no chunk that could not be read again', () => {
    const { writer } = writerOf();
    const id = new Uint8Array(32);
    expect(() => writer.add(id, new Uint8Array(0))).toThrow(AssertionError);
    expect(() => writer.add(id, new Uint8Array(limits.frameSizeMax + 1))).toThrow(AssertionError);
  });

  test('is referred to by where a chunk lies in it', async () => {
    const { writer, packs } = writerOf();
    const chunk = chunkAt(1, 1000);
    writer.add(chunk.id, chunk.bytes);
    await writer.flush();
    const [{ records }] = packs as [WrittenPack];
    const { id: _, ...place } = records[0] as WrittenPack['records'][number];
    expect(blobOf(records[0] as WrittenPack['records'][number])).toEqual(place);
  });
});

describe('a failure', () => {
  const broken = (): never => {
    throw new Error('it broke');
  };
  const cases: readonly [string, Partial<PackWriterOptions>][] = [
    ['sealing', { compute: { ...compute, sealFrame: async () => broken() } as Compute }],
    ['coding', { compute: { ...compute, encode: async () => broken() } as Compute }],
    ['sealing the key', { sealer: { ...sealer, seal: async () => broken() } }],
    ['handing the pack on', { onPack: broken }],
  ];

  test.each(cases)('of %s surfaces, and nothing more is taken', async (_, change) => {
    const { writer, packs } = writerOf(change);
    const chunk = chunkAt(1, 1000);
    writer.add(chunk.id, chunk.bytes);
    await expect(writer.flush()).rejects.toThrow('it broke');
    expect(() => writer.add(chunk.id, chunk.bytes)).toThrow('it broke');
    await expect(writer.flush()).rejects.toThrow('it broke');
    expect(packs).toEqual([]);
  });
});
