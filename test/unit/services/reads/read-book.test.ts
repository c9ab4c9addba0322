import { beforeEach, expect, test } from 'vitest';
import { hourMs } from '../../../../src/base/units.ts';
import { ReadBook, readReads } from '../../../../src/services/reads/read-book.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryRecords } from '../../../support/memory-records.ts';

const reader = 'ab'.repeat(32);
let records: MemoryRecords;
let hour: number;

beforeEach(() => {
  records = new MemoryRecords();
  hour = 500_000;
});

async function open(): Promise<ReadBook> {
  const log = collectingLog();
  const nowMs = (): number => hour * hourMs;
  return new ReadBook(
    { records, nowMs, clock: new ManualClock(), log },
    await readReads(records, log),
  );
}

test('what was read counts for a day, hour by hour, on the account it was read for', async () => {
  const book = await open();
  book.add(reader, 'plain', 100);
  hour += 3;
  book.add(reader, 'plain', 20);
  book.add(reader, 'repair', 5);
  expect(book.bytesOf(reader, 'plain')).toBe(120);
  hour += 20;
  expect(book.bytesOf(reader, 'plain')).toBe(120);
  hour += 1;
  expect(book.bytesOf(reader, 'plain')).toBe(20);
  hour += 3;
  expect(book.bytesOf(reader, 'plain')).toBe(0);
  expect(book.bytesOf('another', 'plain')).toBe(0);
});

test('a restart makes no room', async () => {
  const book = await open();
  book.add(reader, 'plain', 100);
  await book.flush();
  expect((await open()).bytesOf(reader, 'plain')).toBe(100);
});

test('a damaged count begins anew, and costs no other', async () => {
  const book = await open();
  book.add(reader, 'plain', 100);
  book.add('other', 'plain', 7);
  await book.flush();
  records.damaged.add(`reads-${reader}`);
  const after = await open();
  expect(after.bytesOf(reader, 'plain')).toBe(0);
  expect(after.bytesOf('other', 'plain')).toBe(7);
  records.all.set('reads-other', new TextEncoder().encode('{"plain":[["x",1]]}'));
  expect((await open()).bytesOf('other', 'plain')).toBe(0);
});

test('what is older than a day is not kept', async () => {
  const book = await open();
  book.add(reader, 'plain', 100);
  hour += 24;
  book.add(reader, 'own', 1);
  await book.flush();
  const text = new TextDecoder().decode(records.all.get(`reads-${reader}`));
  expect(JSON.parse(text)).toEqual({ own: [[hour, 1]] });
});
