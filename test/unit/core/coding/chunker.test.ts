import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex } from '../../../../src/base/bytes.ts';
import { MiB } from '../../../../src/base/units.ts';
import { Chunker, type CutRule } from '../../../../src/core/coding/chunker.ts';
import { kernelScan, plainScan } from '../../../../src/core/coding/cut-scan.ts';
import {
  type Kernel,
  type KernelKind,
  loadKernel,
} from '../../../../src/core/coding/kernels/kernel.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { byteStream, bytesOf } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/chunker.json' with { type: 'json' };

const cutKey = byteStream('cut key', 40);
const rule: CutRule = { min: 4096, average: 16384, max: 65536, cutKey };

function cutsOf(bytes: Uint8Array, chunker: Chunker): number[] {
  const cuts: number[] = [];
  for (let start = 0; start < bytes.length; start = cuts.at(-1) as number) {
    cuts.push(chunker.next(bytes, start, bytes.length, true) as number);
  }
  return cuts;
}

function sizesOf(cuts: readonly number[]): number[] {
  return cuts.map((cut, i) => cut - (cuts[i - 1] ?? 0));
}

function contentsOf(bytes: Uint8Array, chunker: Chunker): Set<string> {
  const contents = new Set<string>();
  let start = 0;
  for (const cut of cutsOf(bytes, chunker)) {
    contents.add(toHex(hash('leaf', bytes.subarray(start, cut))));
    start = cut;
  }
  return contents;
}

describe.each<KernelKind>(['relaxed-simd', 'simd'])('code compiled for %s', (kind) => {
  const scan = kernelScan(cutKey, loadKernel(kind) as Kernel);
  const plain = plainScan(cutKey);

  test.each(vectors.cases)(
    'cuts as in the vector, and as plain code does: $name',
    ({ data, cutKey: text, cuts, ...sizes }) => {
      const key = bytesOf(text);
      const compiled = new Chunker(
        { ...sizes, cutKey: key },
        kernelScan(key, loadKernel(kind) as Kernel),
      );
      const reference = new Chunker({ ...sizes, cutKey: key }, plainScan(key));
      expect(cutsOf(byteStream(data.label, data.size), compiled)).toEqual(cuts);
      expect(cutsOf(byteStream(data.label, data.size), reference)).toEqual(cuts);
    },
  );

  test('finds what plain code finds, wherever the search begins and ends', () => {
    const bytes = byteStream('anywhere', 200_000);
    const range = fc.record({ from: fc.integer({ min: 64, max: 150_000 }), size: fc.nat(50_000) });
    fc.assert(
      fc.property(range, fc.integer({ min: 0, max: 3 }), ({ from, size }, bits) => {
        const mask = bits === 0 ? 0 : -1 << (32 - bits);
        const place = { from, to: from + size };
        expect(scan(bytes, place, mask)).toBe(plain(bytes, place, mask));
      }),
      { numRuns: 300 },
    );
  });

  test('finds what plain code finds in bytes that repeat', () => {
    for (const period of [1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 100]) {
      const pattern = byteStream(`period ${period}`, period);
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => pattern[i % period] as number);
      const place = { from: 100, to: bytes.length };
      expect(scan(bytes, place, 0), `period ${period}`).toBe(plain(bytes, place, 0));
    }
  });
});

describe('next', () => {
  test.each(vectors.cases)(
    'cuts as in the vector: $name',
    ({ data, cutKey: key, cuts, ...sizes }) => {
      const chunker = new Chunker({ ...sizes, cutKey: bytesOf(key) });
      expect(cutsOf(byteStream(data.label, data.size), chunker)).toEqual(cuts);
    },
  );

  const random = byteStream('random', 8 * MiB);
  const chunker = new Chunker(rule);
  const cuts = cutsOf(random, chunker);

  test('gives chunks of about the average size, within their bounds', () => {
    const sizes = sizesOf(cuts);
    const mean = random.length / sizes.length;
    expect(mean).toBeGreaterThan(0.8 * rule.average);
    expect(mean).toBeLessThan(1.5 * rule.average);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(rule.min);
      expect(size).toBeLessThanOrEqual(rule.max);
    }
  });

  test('cuts most chunks before their maximum', () => {
    const full = sizesOf(cuts).filter((size) => size === rule.max);
    expect(full.length).toBeLessThan(cuts.length / 100);
  });

  test('changes few chunks when bytes are inserted', () => {
    const at = 3 * MiB + 1234;
    const changed = concat([random.subarray(0, at), byteStream('new', 100), random.subarray(at)]);
    const before = contentsOf(random, chunker);
    const fresh = [...contentsOf(changed, chunker)].filter((content) => !before.has(content));
    expect(fresh.length).toBeGreaterThan(0);
    expect(fresh.length).toBeLessThanOrEqual(6);
  });

  test.each([
    ['key', 0, 40],
    ['table for low halves of bytes', 0, 16],
    ['table for high halves of bytes', 16, 32],
    ['decision key', 32, 40],
  ])('cuts elsewhere under another %s', (_, from, to) => {
    const otherKey = cutKey.slice();
    otherKey.set(byteStream('other key', to - from), from);
    // Four times the smallest average, so that the decision key matters after the average too.
    const wide = { min: 4096, average: 65536, max: 262_144 };
    const own = cutsOf(random, new Chunker({ ...wide, cutKey }));
    const other = new Set(cutsOf(random, new Chunker({ ...wide, cutKey: otherKey })));
    const shared = own.filter((cut) => other.has(cut) && cut !== random.length);
    expect(shared.length).toBeLessThan(own.length / 10);
  });

  test('depends on nothing but the bytes from the start of the chunk on', () => {
    const place = fc.record({
      chunk: fc.nat({ max: 100 }),
      before: fc.nat({ max: 50 }),
      after: fc.nat({ max: 50 }),
      fill: fc.nat({ max: 255 }),
    });
    fc.assert(
      fc.property(place, ({ chunk, before, after, fill }) => {
        const start = cuts[chunk] as number;
        const size = (cuts[chunk + 1] as number) - start;
        const moved = new Uint8Array(before + size + after).fill(fill);
        moved.set(random.subarray(start, start + size), before);
        expect(chunker.next(moved, before, moved.length, true)).toBe(before + size);
      }),
      { numRuns: 50 },
    );
  });

  test('gives the same cuts however the bytes arrive', () => {
    const bytes = random.subarray(0, MiB / 2);
    const whole = cutsOf(bytes, chunker);
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 1, max: 50_000 })), (steps) => {
        const found: number[] = [];
        let limit = 0;
        let start = 0;
        for (const step of steps) {
          limit = Math.min(bytes.length, limit + step);
          const isLast = limit === bytes.length;
          for (
            let cut = chunker.next(bytes, start, limit, isLast);
            cut !== undefined;
            cut = chunker.next(bytes, start, limit, isLast)
          ) {
            found.push(cut);
            start = cut;
          }
          if (isLast) break;
        }
        expect(found).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test('never looks at bytes beyond the limit', () => {
    const start = cuts[3] as number;
    const limit = (cuts[4] as number) - 1;
    expect(chunker.next(random, start, limit, false)).toBeUndefined();
    expect(chunker.next(random, start, limit, true)).toBe(limit);
    expect(chunker.next(random, start, limit + 1, false)).toBe(limit + 1);
  });

  test('has no chunk where there are no bytes', () => {
    expect(chunker.next(random, 10, 10, true)).toBeUndefined();
    expect(chunker.next(random, random.length, random.length, true)).toBeUndefined();
  });

  test('cuts bytes that are all alike at the maximum', () => {
    for (const byte of [0, 0x5a, 0xff]) {
      const constant = new Uint8Array(300_000).fill(byte);
      const sizes = sizesOf(cutsOf(constant, chunker));
      expect(sizes).toEqual([65536, 65536, 65536, 65536, 300_000 - 4 * 65536]);
    }
  });

  test('decides at the maximum without waiting for more', () => {
    expect(chunker.next(new Uint8Array(rule.max), 0, rule.max, false)).toBe(rule.max);
    expect(chunker.next(new Uint8Array(rule.max), 0, rule.max - 1, false)).toBeUndefined();
  });
});

describe('a rule is refused', () => {
  test.each<[string, Partial<CutRule>, string]>([
    ['with an average that is no power of two', { average: 20_000 }, 'power of two'],
    ['with an average below 16384', { average: 8192 }, 'power of two'],
    ['with a minimum below the windows', { min: 63 }, 'covers the window'],
    ['with a minimum above the average', { min: 16385 }, 'ordered'],
    ['with a maximum below the average', { max: 16383 }, 'ordered'],
    ['with a broken size', { min: 100.5 }, 'whole numbers'],
    ['with a short key', { cutKey: cutKey.subarray(1) }, '40 bytes'],
  ])('%s', (_, change, message) => {
    expect(() => new Chunker({ ...rule, ...change })).toThrow(message);
  });
});
