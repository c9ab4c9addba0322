import { expect, test } from 'vitest';
import { ChunkTable } from '../../../src/services/chunk-table.ts';
import { byteStream } from '../../support/byte-stream.ts';

const ids = byteStream('ids', 60_000 * 32);
const idOf = (i: number): Uint8Array => ids.subarray(32 * i, 32 * (i + 1));

test('finds every id that was added, however often the table has grown', () => {
  const table = new ChunkTable();
  for (let i = 0; i < 30_000; i++) table.add(idOf(i));
  for (let i = 0; i < 30_000; i++) if (!table.mayHave(idOf(i))) throw new Error(`lost ${i}`);
  expect(table.count).toBe(30_000);
});

test('says of other ids that they are not there', () => {
  const table = new ChunkTable();
  for (let i = 0; i < 30_000; i++) table.add(idOf(i));
  for (let i = 30_000; i < 60_000; i++) if (table.mayHave(idOf(i))) throw new Error(`has ${i}`);
});

test('counts an id once, and takes ids of zeros', () => {
  const table = new ChunkTable();
  expect(table.mayHave(new Uint8Array(32))).toBe(false);
  for (let i = 0; i < 3; i++) table.add(new Uint8Array(32));
  expect(table.mayHave(new Uint8Array(32))).toBe(true);
  expect(table.count).toBe(1);
});

test('takes at most 24 bytes of memory for a chunk', () => {
  const table = new ChunkTable(60_000);
  for (let i = 0; i < 60_000; i++) table.add(idOf(i));
  expect(table.size / 60_000).toBeLessThan(24);
});
