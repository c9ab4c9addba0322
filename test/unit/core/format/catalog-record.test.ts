import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../src/base/bytes.ts';
import {
  type CatalogEntry,
  decodeCatalogRecord,
  encodeCatalogRecord,
  entryOf,
} from '../../../../src/core/format/catalog-record.ts';
import { encodeEntry } from '../../../../src/core/format/tree.ts';
import { entry, mutationsOf, outcomeOf } from './samples.ts';

const entries: fc.Arbitrary<CatalogEntry> = fc.record({
  ctimeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  device: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  mtimeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  size: fc.maxSafeNat(),
  isSettled: fc.boolean(),
  packs: fc.array(fc.nat(0xffff_ffff), { minLength: 3, maxLength: 3 }),
  packBytes: fc.array(fc.nat(0xffff_ffff), { minLength: 3, maxLength: 3 }),
  record: fc.uint8Array({ maxLength: 50 }),
});

const stored = { tree: [new Uint8Array(32).fill(7), new Uint8Array(32).fill(8)], packs: [3] };

const sample: CatalogEntry = {
  ctimeNs: 1_767_225_600_123_456_789n,
  inode: 42n,
  device: 2049n,
  mtimeNs: 1_767_225_600_000_000_001n,
  size: 5_000_000_000,
  isSettled: true,
  packs: [1, 7],
  packBytes: [4_000_000_000, 0],
  record: encodeEntry(entry),
};

describe('the record of a directory', () => {
  test('comes back as it was, also as a part of a larger buffer', () => {
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 6 }), (given) => {
        const bytes = encodeCatalogRecord({ entries: given, ...stored });
        expect(decodeCatalogRecord(bytes)).toEqual({ entries: given, ...stored });
        const inside = concat([Uint8Array.of(1, 2, 3), bytes, Uint8Array.of(4)]).subarray(3, -1);
        expect(decodeCatalogRecord(inside)).toEqual({ entries: given, ...stored });
      }),
    );
  });

  test('holds the tree entries as they will be stored', () => {
    const [decoded] = decodeCatalogRecord(
      encodeCatalogRecord({ entries: [sample], ...stored }),
    ).entries;
    expect(entryOf(decoded as CatalogEntry)).toEqual(entry);
  });

  test('of an empty directory has no entries', () => {
    const nothing = { entries: [], tree: [], packs: [] };
    expect(decodeCatalogRecord(encodeCatalogRecord(nothing))).toEqual(nothing);
    expect(outcomeOf(() => decodeCatalogRecord(new Uint8Array(0)))).toBe('bad-encoding');
  });

  test('that is damaged says so, and does nothing worse', () => {
    const valid = encodeCatalogRecord({ entries: [sample, { ...sample, packs: [] }], ...stored });
    fc.assert(
      fc.property(mutationsOf(valid), (bytes) => {
        const outcome = outcomeOf(() => decodeCatalogRecord(bytes).entries.map(entryOf));
        expect(['ok', 'bad-encoding']).toContain(outcome);
      }),
      { numRuns: 2000 },
    );
  });

  test('cannot make the decoder take more memory than it has bytes', () => {
    const bytes = encodeCatalogRecord({ entries: [sample], tree: [], packs: [] });
    const view = new DataView(bytes.buffer);
    for (const at of [0, 4, 8 + 41, 8 + 45]) {
      const before = view.getUint32(at);
      view.setUint32(at, 0xffff_ffff);
      expect(outcomeOf(() => decodeCatalogRecord(bytes))).toBe('bad-encoding');
      view.setUint32(at, before);
    }
  });

  test.each([
    ['none', new Uint8Array(0)],
    ['two', concat([encodeEntry(entry), encodeEntry({ ...entry, name: Uint8Array.of(0x7a) })])],
    ['a cut one', encodeEntry(entry).subarray(0, -1)],
  ])('has one tree entry a name, not %s', (_, record) => {
    expect(outcomeOf(() => entryOf({ ...sample, record }))).toBe('bad-encoding');
  });
});
