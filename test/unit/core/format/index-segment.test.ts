import { describe, expect, test } from 'vitest';
import { compare, equal, toHex } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import {
  decodeIndexSegment,
  encodeIndexSegment,
  encodeIndexSegments,
  type IndexRecord,
  indexSegmentRecordsMax,
  indexSegmentSizeMax,
} from '../../../../src/core/format/index-segment.ts';
import { IndexTable } from '../../../../src/core/format/index-table.ts';
import { idOf, type PackId } from '../../../../src/core/ids.ts';
import { filled, outcomeOf } from './samples.ts';

function record(number: number, place: { pack: number; frame: number }): IndexRecord {
  return {
    id: hash('fact', Uint8Array.of(number >> 16, number >> 8, number)),
    pack: idOf<PackId>(hash('pack', Uint8Array.of(place.pack >> 8, place.pack))),
    frame: place.frame,
    frameOffset: 1000 + place.frame * 600,
    frameSize: 600,
    offset: number % 1000,
    length: 1 + (number % 500),
  };
}

/** Records as whole packs have them. */
function wholePacks(count: number, shape: { perFrame: number; frames: number }): IndexRecord[] {
  const { perFrame, frames } = shape;
  return Array.from({ length: count }, (_, i) => {
    const frame = Math.floor(i / perFrame);
    return record(i, { pack: Math.floor(frame / frames), frame: frame % frames });
  });
}

function sorted(records: readonly IndexRecord[]): IndexRecord[] {
  return [...records].sort((a, b) => compare(a.id, b.id));
}

describe('an index segment', () => {
  test('has the layout of "Index segment" in proto/README.md', () => {
    const one = { ...record(1, { pack: 1, frame: 1 }), id: filled(0xaa), pack: idOf(filled(0xbb)) };
    const packs = `00000001${'bb'.repeat(32)}00000002${'00'.repeat(8)}0000064000000258`;
    const records = `00000001${'aa'.repeat(32)}0000000000010000000100000002`;
    const bytes = encodeIndexSegment([one as IndexRecord]);
    expect(toHex(bytes)).toBe(`4846495801000000${packs}${records}`);
  });

  test('holds its records in order of their ids', () => {
    const records = wholePacks(500, { perFrame: 10, frames: 7 });
    expect(decodeIndexSegment(encodeIndexSegment(records))).toEqual(sorted(records));
  });

  test('does not depend on the order of its records', () => {
    const records = wholePacks(50, { perFrame: 10, frames: 2 });
    expect(encodeIndexSegment(records.toReversed())).toEqual(encodeIndexSegment(records));
  });

  test('keeps the first of two places of one chunk', () => {
    const first = record(1, { pack: 1, frame: 0 });
    const second = { ...record(1, { pack: 2, frame: 0 }) };
    expect(decodeIndexSegment(encodeIndexSegment([first, second]))).toEqual([first]);
  });

  test('may hold nothing', () => {
    expect(decodeIndexSegment(encodeIndexSegment([]))).toEqual([]);
  });

  test.each([
    ['a chunk a frame', { perFrame: 1, frames: 1 }],
    ['few chunks a frame', { perFrame: 3, frames: 40 }],
    ['many chunks a frame', { perFrame: 400, frames: 40 }],
  ])('of indexSegmentRecordsMax records fits a frame: %s', (_what, shape) => {
    const records = wholePacks(indexSegmentRecordsMax, shape);
    expect(encodeIndexSegment(records).length).toBeLessThanOrEqual(indexSegmentSizeMax);
  });

  const good = encodeIndexSegment(wholePacks(3, { perFrame: 2, frames: 2 }));
  const changed = (at: number, value: number): Uint8Array =>
    good.with(at < 0 ? good.length + at : at, value);
  const bad: [string, Uint8Array][] = [
    ['another start', changed(0, 0)],
    ['another version', changed(4, 2)],
    ['a spare byte set', changed(7, 1)],
    ['more packs than bytes', changed(8, 0xff)],
    ['more frames than bytes', changed(44, 0xff)],
    ['more records than bytes', changed(64, 0xff)],
    ['records that do not ascend', changed(68, 0xff)],
    ['a record of an unknown pack', changed(-11, 9)],
    ['a record of an unknown frame', changed(-9, 9)],
    ['an empty chunk', good.with(good.length - 1, 0).with(good.length - 2, 0)],
    ['a chunk outside its frame', changed(-4, 0x7f)],
    ['a byte too many', Uint8Array.of(...good, 0)],
    ['a byte too few', good.subarray(0, -1)],
  ];

  test.each(bad)('with %s is refused', (_what, bytes) => {
    expect(outcomeOf(() => decodeIndexSegment(good))).toBe('ok');
    expect(outcomeOf(() => decodeIndexSegment(bytes))).toBe('bad-encoding');
  });
});

describe('index segments', () => {
  test.each([
    ['one large pack', wholePacks(40_000, { perFrame: 4000, frames: 40 })],
    ['many packs', wholePacks(24_000, { perFrame: 7, frames: 11 })],
    [
      'single chunks deep in many packs',
      Array.from({ length: 100 }, (_, i) => record(i, { pack: i, frame: 4095 })),
    ],
  ])('of %s each fit a frame and hold everything', (_what, records) => {
    const segments = encodeIndexSegments(records);
    expect(segments.length).toBeGreaterThan(1);
    for (const { bytes, count } of segments) {
      expect(bytes.length).toBeLessThanOrEqual(indexSegmentSizeMax);
      expect(bytes.length).toBeGreaterThan(0);
      expect(decodeIndexSegment(bytes)).toHaveLength(count);
    }
    const all = segments.flatMap(({ bytes }) => decodeIndexSegment(bytes));
    expect(equal(encodeIndexSegment(all), encodeIndexSegment(records))).toBe(true);
  });

  test('of no records are none', () => {
    expect(encodeIndexSegments([])).toEqual([]);
  });
});

describe('an index table', () => {
  test('finds every chunk of every segment and no other', () => {
    const records = wholePacks(20_000, { perFrame: 50, frames: 30 });
    const table = new IndexTable();
    for (const { bytes } of encodeIndexSegments(records)) table.add(bytes);
    // A few are looked for in the segments themselves, the others in a table.
    for (const one of records.slice(0, 40)) expect(table.find(one.id)).toEqual(one);
    expect(table.find(filled(9))).toBeUndefined();
    expect(table.count).toBe(20_000);
    for (let i = 0; i < records.length; i += 97) {
      const one = records[i] as IndexRecord;
      expect(table.find(one.id)).toEqual(one);
    }
    expect(table.find(filled(9))).toBeUndefined();
    expect(new IndexTable().find(filled(9))).toBeUndefined();
  });

  test('counts a chunk of two segments once and keeps the first place', () => {
    const table = new IndexTable();
    const first = record(1, { pack: 1, frame: 0 });
    table.add(encodeIndexSegment([first]));
    table.add(
      encodeIndexSegment([record(1, { pack: 2, frame: 0 }), record(2, { pack: 2, frame: 0 })]),
    );
    expect(table.count).toBe(2);
    expect(table.find(first.id)).toEqual(first);
  });

  test('finds what was added after it was asked, and asked often', () => {
    const table = new IndexTable();
    table.add(encodeIndexSegment([record(1, { pack: 1, frame: 0 })]));
    const later = record(2, { pack: 2, frame: 0 });
    for (let i = 0; i < 1000; i++) expect(table.find(later.id)).toBeUndefined();
    table.add(encodeIndexSegment([later]));
    expect(table.find(later.id)).toEqual(later);
    expect([table.count, table.recordCount]).toEqual([2, 2]);
  });

  test('owns its bytes', () => {
    const one = record(1, { pack: 1, frame: 0 });
    const bytes = encodeIndexSegment([one]);
    const table = new IndexTable();
    table.add(bytes);
    bytes.fill(0);
    expect(table.find(one.id)).toEqual(one);
  });
});
