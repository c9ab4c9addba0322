import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, concat, equal, utf8 } from '../../../../src/base/bytes.ts';
import {
  ExtentSchema,
  type TreeEntry as Message,
  TreeEntrySchema,
} from '../../../../src/core/format/gen/holdfast/v1/tree_pb.js';
import {
  decodeEntries,
  decodeExtents,
  type Extent,
  encodeEntry,
  encodeExtent,
  isEntryName,
  kindOf,
  type TreeEntry,
} from '../../../../src/core/format/tree.ts';
import { entry, filled, outcomeOf } from './samples.ts';

const uint32 = fc.nat(0xffff_ffff);
const uint64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const extent: fc.Arbitrary<Extent> = fc.record({
  id: fc.option(id, { nil: undefined }),
  length: fc.maxSafeNat(),
});
const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
const seconds = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const entries: fc.Arbitrary<TreeEntry> = fc.record({
  name: bytes.filter(isEntryName),
  mode: uint32,
  uid: uint32,
  gid: uint32,
  user: fc.string({ unit: 'binary', maxLength: 20 }),
  group: fc.string({ unit: 'grapheme', maxLength: 20 }),
  mtimeNs: fc.oneof(
    fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }),
    fc.tuple(seconds, fc.nat(999_999_999)).map(([s, ns]) => s * 1_000_000_000n + BigInt(ns)),
  ),
  size: fc.maxSafeNat(),
  content: fc.array(extent, { maxLength: 5 }),
  contentList: fc.array(id, { maxLength: 3 }),
  tree: fc.array(id, { maxLength: 3 }),
  target: fc.option(bytes, { nil: undefined }),
  rdev: uint64,
  linkGroup: uint64,
  xattrs: fc.array(fc.record({ name: bytes, value: fc.uint8Array({ maxLength: 300 }) }), {
    maxLength: 3,
  }),
});

function floorDivide(value: bigint, by: bigint): bigint {
  const rest = ((value % by) + by) % by;
  return (value - rest) / by;
}

/** The same entry in the generated codec: another way to the same bytes. */
function messageOf(one: TreeEntry): Message {
  const mtimeS = floorDivide(one.mtimeNs, 1_000_000_000n);
  return create(TreeEntrySchema, {
    name: one.name,
    mode: one.mode,
    uid: one.uid,
    gid: one.gid,
    user: one.user,
    group: one.group,
    mtimeS,
    mtimeNs: Number(one.mtimeNs - mtimeS * 1_000_000_000n),
    size: BigInt(one.size),
    content: one.content.map(extentMessage),
    contentList: [...one.contentList],
    tree: [...one.tree],
    target: one.target ?? new Uint8Array(),
    device: one.rdev,
    linkGroup: one.linkGroup,
    xattrs: one.xattrs.map((xattr) => ({ ...xattr })),
  });
}

function extentMessage({ id: chunk, length }: Extent): { id: Uint8Array; length: bigint } {
  return { id: chunk ?? new Uint8Array(), length: BigInt(length) };
}

function recordOf(message: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = message.length;
  for (; rest >= 0x80; rest >>= 7) prefix.push((rest & 0x7f) | 0x80);
  return concat([Uint8Array.of(...prefix, rest), message]);
}

describe('the codec of tree entries', () => {
  test('writes the bytes that the generated codec writes', () => {
    fc.assert(
      fc.property(entries, (one) => {
        const generated = recordOf(toBinary(TreeEntrySchema, messageOf(one)));
        expect(equal(encodeEntry(one), generated)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('reads what the generated codec writes', () => {
    fc.assert(
      fc.property(entries, (one) => {
        expect(decodeEntries(recordOf(toBinary(TreeEntrySchema, messageOf(one))))).toEqual([one]);
      }),
      { numRuns: 300 },
    );
  });

  test('writes extents that the generated codec reads', () => {
    fc.assert(
      fc.property(extent, (one) => {
        const record = encodeExtent(one);
        expect(decodeExtents(record)).toEqual([one]);
        expect(fromBinary(ExtentSchema, record.subarray(1))).toMatchObject(extentMessage(one));
      }),
    );
  });

  test('reads a chunk of many entries', () => {
    const names = ['a', 'a.txt', 'b', 'ä'];
    const chunk = names.map((name) => ({ ...entry, name: utf8(name) }));
    expect(decodeEntries(concat(chunk.map(encodeEntry)))).toEqual(chunk);
    expect(decodeEntries(new Uint8Array())).toEqual([]);
  });

  test('keeps times before 1970: seconds round down, nanoseconds count up', () => {
    const early = { ...entry, mtimeNs: -1n, content: [], xattrs: [] };
    const message = fromBinary(TreeEntrySchema, encodeEntry(early).subarray(1));
    expect([message.mtimeS, message.mtimeNs]).toEqual([-1n, 999_999_999]);
    expect(decodeEntries(encodeEntry(early))[0]?.mtimeNs).toBe(-1n);
  });

  test('passes over fields of a later version', () => {
    const later = [
      Uint8Array.of(0x88, 0x01, 0x05), // 17, a number
      Uint8Array.of(0x92, 0x01, 0x02, 0, 0), // 18, bytes
      Uint8Array.of(0x99, 0x01, 0, 0, 0, 0, 0, 0, 0, 0), // 19, 8 bytes
      Uint8Array.of(0xa5, 0x01, 0, 0, 0, 0), // 20, 4 bytes
    ];
    const record = recordOf(concat([toBinary(TreeEntrySchema, messageOf(entry)), ...later]));
    expect(decodeEntries(record)).toEqual([entry]);
  });
});

describe('a directory chunk is refused', () => {
  const name = (text: string): Uint8Array => encodeEntry({ ...entry, name: utf8(text) });
  const raw = (...fields: number[]): Uint8Array =>
    recordOf(Uint8Array.of(0x0a, 1, 0x61, ...fields));

  test('unless its sample is as it should be', () => {
    expect(outcomeOf(() => decodeEntries(raw()))).toBe('ok');
  });

  const bad: [string, Uint8Array][] = [
    ['with a nameless entry', name('')],
    ['with the entry "."', name('.')],
    ['with the entry ".."', name('..')],
    ['with a name that is a path', name('a/b')],
    ['with a name that has a NUL', name('a\0')],
    ['with names that descend', concat([name('b'), name('a')])],
    ['with a name twice', concat([name('a'), name('a')])],
    ['with a record cut short', name('abc').subarray(0, -1)],
    ['with a record longer than the chunk', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 1)],
    ['with a field longer than its record', raw(0x2a, 5, 0x61)],
    ['with text that is not UTF-8', raw(0x2a, 1, 0xff)],
    ['with a number over 32 bits', raw(0x10, 0x80, 0x80, 0x80, 0x80, 0x10)],
    ['with a number over 53 bits', raw(0x48, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)],
    ['with a number over 64 bits', raw(0x70, ...Array<number>(9).fill(0xff), 2)],
    ['with nanoseconds of more than a second', raw(0x40, 0x80, 0x94, 0xeb, 0xdc, 0x03)],
    ['with a short chunk id', raw(0x62, 2, 1, 2)],
    ['with a hole in an extent', raw(0x52, 3, 0x10, 5, 0x10)],
    ['with a known field of another form', raw(0x12, 1, 0)],
    ['with field 0', raw(0x00, 0)],
    ['with a group', raw(0x8b, 0x01)],
  ];

  test.each(bad)('%s', (_what, chunk) => {
    expect(outcomeOf(() => decodeEntries(chunk))).toBe('bad-encoding');
  });
});

test('names order by unsigned byte', () => {
  expect(compare(utf8('z'), utf8('ä'))).toBeLessThan(0);
});

test('a decoded entry does not keep its chunk alive', () => {
  const chunk = encodeEntry(entry);
  const decoded = decodeEntries(chunk);
  chunk.fill(0);
  expect(decoded).toEqual([entry]);
});

test('file types are those of st_mode', () => {
  const modes = [0o100644, 0o040755, 0o120777, 0o010600, 0o140600, 0o020600, 0o060600];
  const kinds = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block'];
  expect(modes.map(kindOf)).toEqual(kinds);
  expect(kindOf(0o644)).toBeUndefined();
});

test('a hole has no id', () => {
  expect(decodeExtents(encodeExtent({ id: undefined, length: 9 }))).toEqual([
    { id: undefined, length: 9 },
  ]);
  expect(decodeExtents(encodeExtent({ id: filled(0), length: 9 }))[0]?.id).toEqual(filled(0));
});
