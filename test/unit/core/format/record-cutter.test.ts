import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat } from '../../../../src/base/bytes.ts';
import { KiB } from '../../../../src/base/units.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { RecordCutter, recordChunkSizeMax } from '../../../../src/core/format/record-cutter.ts';
import { filled, outcomeOf } from './samples.ts';

const end = Uint8Array.of(0);
const middle = Uint8Array.of(1);

type Item = { record: Uint8Array; marker: Uint8Array };

function cut(items: readonly Item[]): Uint8Array[] {
  const cutter = new RecordCutter();
  const chunks = items.map(({ record, marker }) => cutter.add(record, () => marker));
  chunks.push(cutter.finish());
  return chunks.filter((chunk) => chunk !== undefined);
}

function sizes(items: readonly Item[]): number[] {
  return cut(items).map((chunk) => chunk.length);
}

function item(size: number, marker: Uint8Array): Item {
  return { record: filled(7, size), marker };
}

describe('a stream of records', () => {
  test('ends a chunk after a marked record once 16 KiB are in it', () => {
    const half = 8 * KiB;
    expect(sizes([item(half, end), item(half, end), item(1, middle)])).toEqual([16 * KiB, 1]);
    expect(sizes([item(half, end), item(half - 1, end), item(1, middle)])).toEqual([16 * KiB]);
  });

  test('asks for no marker where a chunk may not end yet', () => {
    const cutter = new RecordCutter();
    let asked = 0;
    const marker = (): Uint8Array => {
      asked++;
      return middle;
    };
    cutter.add(filled(1, 16 * KiB - 1), marker);
    expect(asked).toBe(0);
    cutter.add(filled(2, 1), marker);
    expect(asked).toBe(1);
  });

  test('ends a chunk before it would pass 512 KiB', () => {
    const full = [item(recordChunkSizeMax - 10, middle), item(10, middle), item(1, middle)];
    expect(sizes(full)).toEqual([recordChunkSizeMax, 1]);
    expect(sizes([item(recordChunkSizeMax - 10, middle), item(11, middle)])).toEqual([
      recordChunkSizeMax - 10,
      11,
    ]);
  });

  test('may end two chunks around one large marked record', () => {
    const items = [item(500 * KiB, middle), item(20 * KiB, end), item(5, middle)];
    expect(sizes(items)).toEqual([500 * KiB, 20 * KiB, 5]);
  });

  test('of holes alone is cut by size alone', () => {
    const none = new Uint8Array();
    expect(sizes(Array.from({ length: 40 }, () => item(16 * KiB, none)))).toEqual([
      512 * KiB,
      128 * KiB,
    ]);
  });

  test('is empty when nothing was added', () => {
    expect(cut([])).toEqual([]);
  });

  test('comes back whole from its chunks', () => {
    const arbitrary = fc.record({
      record: fc.uint8Array({ minLength: 1, maxLength: 400 }),
      marker: fc.constantFrom(end, middle),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 200 }), (items) => {
        expect(concat(cut(items))).toEqual(concat(items.map(({ record }) => record)));
      }),
      { numRuns: 30 },
    );
  });

  test('changes in one or two chunks when one record changes', () => {
    const items = Array.from({ length: 5000 }, (_, i) => ({
      record: filled(i, 150),
      marker: hash('path', Uint8Array.of(i >> 8, i)),
    }));
    const changed = items.with(2500, { record: filled(1, 151), marker: middle });
    const before = new Set(cut(items).map(String));
    expect(before.size).toBeGreaterThan(5);
    const fresh = cut(changed).filter((chunk) => !before.has(String(chunk)));
    expect([1, 2]).toContain(fresh.length);
  });
});

test('a record larger than a chunk is refused', () => {
  const cutter = new RecordCutter();
  expect(outcomeOf(() => cutter.add(new Uint8Array(recordChunkSizeMax + 1), () => end))).toBe(
    'limit-exceeded',
  );
});
