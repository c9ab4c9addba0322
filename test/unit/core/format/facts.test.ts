import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import {
  decodeHolding,
  decodePackSegment,
  encodeHolding,
  encodePackSegments,
  type PackEntry,
} from '../../../../src/core/format/facts.ts';
import { idOf, type PackId } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { filled, outcomeOf } from './samples.ts';

function entryOf(id: Uint8Array): PackEntry {
  return { pack: idOf<PackId>(id), k: 3, m: 2, type: 'data', size: 1_000_000 };
}

/** Ids that are spread like hashes, and the same in every run. */
function spread(count: number): PackEntry[] {
  return Array.from({ length: count }, (_, i) =>
    entryOf(hash('fact', Uint8Array.of(i >> 16, i >> 8, i))),
  );
}

describe('pack segments', () => {
  test('have the layout of "Facts" in proto/README.md', () => {
    const { bytes, count } = encodePackSegments([
      { pack: idOf(filled(0xaa)), k: 3, m: 2, type: 'metadata', size: 0x01020304 % 20_000_000 },
    ])[0] as { bytes: Uint8Array; count: number };
    expect(toHex(bytes)).toBe(`01${'aa'.repeat(32)}0302020001020304`);
    expect(count).toBe(1);
  });

  test('hold every pack once, in order, under the hash of their bytes', () => {
    const entries = spread(3000);
    const segments = encodePackSegments(entries);
    const decoded = segments.flatMap(({ bytes }) => decodePackSegment(bytes));
    expect(decoded).toEqual([...entries].sort((a, b) => (a.pack < b.pack ? -1 : 1)));
    for (const { bytes, hash: name, count } of segments) {
      expect(name).toEqual(hash('fact', bytes));
      expect(decodePackSegment(bytes)).toHaveLength(count);
      expect(bytes.length).toBeLessThanOrEqual(limits.factSizeMax);
    }
  });

  test('end after an id that ends in a zero byte, and after 1024 entries', () => {
    const ends = [1, 0, 2, 3, 0].map((last, i) => concat([filled(i, 31), Uint8Array.of(last)]));
    expect(encodePackSegments(ends.map(entryOf)).map(({ count }) => count)).toEqual([2, 3]);
    const plain = Array.from({ length: 1025 }, (_, i) =>
      entryOf(concat([Uint8Array.of(i >> 8, i), filled(1, 30)])),
    );
    expect(encodePackSegments(plain).map(({ count }) => count)).toEqual([1024, 1]);
  });

  test('stay the same when a pack is added, but for the one or two where it stands', () => {
    const entries = spread(3000);
    const before = encodePackSegments(entries.slice(1)).map(({ hash: name }) => toHex(name));
    const after = encodePackSegments(entries).map(({ hash: name }) => toHex(name));
    expect(before.length).toBeGreaterThan(5);
    const fresh = after.filter((name) => !before.includes(name));
    expect([1, 2]).toContain(fresh.length);
  });

  test('of no packs are none', () => {
    expect(encodePackSegments([])).toEqual([]);
  });

  const good = (encodePackSegments(spread(2))[0] as { bytes: Uint8Array }).bytes;
  const [first, second] = [good.subarray(1, 41), good.subarray(41)];
  const changed = (at: number, value: number): Uint8Array =>
    good.map((byte, i) => (i === at ? value : byte));
  const bad: [string, Uint8Array][] = [
    ['descending ids', concat([Uint8Array.of(1), second, first])],
    ['an id twice', concat([Uint8Array.of(1), first, first])],
    ['no entries', Uint8Array.of(1)],
    ['half an entry', good.subarray(0, 61)],
    ['another type', changed(0, 2)],
    ['no data shards', changed(33, 0)],
    ['too many data shards', changed(33, 9)],
    ['too many shards', changed(34, 30)],
    ['an unknown pack type', changed(35, 3)],
    ['a spare byte set', changed(36, 1)],
    ['a pack that is too large', changed(37, 0xff)],
  ];

  test.each(bad)('with %s are refused', (_what, bytes) => {
    expect(outcomeOf(() => decodePackSegment(good))).toBe('ok');
    expect(outcomeOf(() => decodePackSegment(bytes))).toBe('bad-encoding');
  });
});

describe('holdings', () => {
  test('come back with all 32 bits of their masks', () => {
    const mask = fc.nat(0xffff_ffff);
    fc.assert(
      fc.property(fc.array(mask, { minLength: 1, maxLength: 50 }), (masks) => {
        const holding = { segment: filled(5), masks };
        expect(decodeHolding(encodeHolding(holding))).toEqual(holding);
      }),
    );
  });

  test('have the layout of "Facts" in proto/README.md', () => {
    const bytes = encodeHolding({ segment: filled(0xbb), masks: [0x80000001] });
    expect(toHex(bytes)).toBe(`02${'bb'.repeat(32)}80000001`);
  });

  test('say apart what is there only for a full copy, and are the same as ever without', () => {
    const hot = { segment: filled(0xbb), masks: [0b1011, 1], extras: [0b0011, 0] };
    const bytes = encodeHolding(hot);
    expect(toHex(bytes)).toBe(`20${'bb'.repeat(32)}0000000b000000010300`);
    expect(decodeHolding(bytes)).toEqual(hot);
    const { segment, masks } = hot;
    const plain = encodeHolding({ segment, masks });
    expect(encodeHolding({ segment, masks, extras: [0, 0] })).toEqual(plain);
  });

  test.each([
    ['extra shards that are not held', 0b0100],
    ['no extra shard at all', 0],
  ])('with %s are refused', (_what, extra) => {
    const bytes = encodeHolding({ segment: filled(1), masks: [0b1011], extras: [1] });
    bytes[37] = extra;
    expect(outcomeOf(() => decodeHolding(bytes))).toBe('bad-encoding');
  });

  test.each([
    ['no masks', 33],
    ['half a mask', 35],
  ])('with %s are refused', (_what, size) => {
    const bytes = encodeHolding({ segment: filled(5), masks: [1] }).subarray(0, size);
    expect(outcomeOf(() => decodeHolding(bytes))).toBe('bad-encoding');
  });
});
