import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CheckedRecords } from '../../../../src/adapters/fs/checked-record.ts';
import { openLockLedger } from '../../../../src/adapters/fs/lock-ledger.ts';
import { lockRecordSize } from '../../../../src/core/format/lock-record.ts';
import { idOf, type StatementHash } from '../../../../src/core/ids.ts';
import type { LockLedger, SnapshotLock } from '../../../../src/ports/lock-ledger.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let path: string;
let opened: LockLedger | undefined;

beforeEach(() => {
  scratch = scratchDirectory();
  mkdirSync(join(scratch.path, 'locks'));
  path = join(scratch.path, 'locks', 'ledger');
});

afterEach(async () => {
  await opened?.[Symbol.asyncDispose]();
  opened = undefined;
  await scratch[Symbol.asyncDispose]();
});

/** As after a restart. */
async function open(): Promise<LockLedger> {
  await opened?.[Symbol.asyncDispose]();
  opened = await openLockLedger({ path, records: new CheckedRecords(join(scratch.path, 'locks')) });
  return opened;
}

const nameOf = (i: number): StatementHash => idOf(new Uint8Array(32).fill(i));

function lock(i: number, change: Partial<SnapshotLock> = {}): SnapshotLock {
  const times = { sinceMs: 1000, complianceMs: 0, governanceMs: 5000 };
  return { snapshot: nameOf(i), ...times, ...change };
}

/** A ledger of five locks, closed. */
async function filled(): Promise<void> {
  const ledger = await open();
  await ledger.extend([lock(1), lock(2)]);
  await ledger.extend([lock(3), lock(4), lock(5)]);
  await ledger[Symbol.asyncDispose]();
  opened = undefined;
}

function flip(place: number): void {
  const bytes = readFileSync(path);
  bytes[(place - 1) * lockRecordSize + 50] = 0xff ^ (bytes[(place - 1) * lockRecordSize + 50] ?? 0);
  writeFileSync(path, bytes);
}

describe('the lock ledger', () => {
  test('knows every lock after a restart', async () => {
    await filled();
    const ledger = await open();
    expect(ledger.isDamaged).toBe(false);
    expect(ledger.of(nameOf(4))).toEqual(lock(4));
    expect(ledger.of(nameOf(9))).toBeUndefined();
  });

  test('only ever extends a lock, each mode for itself', async () => {
    const ledger = await open();
    await ledger.extend([lock(1)]);
    await ledger.extend([lock(1, { governanceMs: 10, complianceMs: 3000 })]);
    const both = lock(1, { complianceMs: 3000 });
    expect(ledger.of(nameOf(1))).toEqual(both);
    await ledger.extend([lock(1, { governanceMs: 1, sinceMs: 9 })]);
    expect((await open()).of(nameOf(1))).toEqual(both);
    expect(statSync(path).size).toBe(2 * lockRecordSize);
  });

  test('cuts off a torn tail, which nobody was promised', async () => {
    await filled();
    writeFileSync(path, new Uint8Array(lockRecordSize + 7).fill(9), { flag: 'a' });
    const ledger = await open();
    expect(ledger.isDamaged).toBe(false);
    expect(statSync(path).size).toBe(5 * lockRecordSize);
    await ledger.extend([lock(6)]);
    expect((await open()).of(nameOf(6))).toEqual(lock(6));
  });

  test('keeps records that were durable before anybody could say so', async () => {
    await filled();
    const [file, mark] = [readFileSync(path), join(scratch.path, 'locks', 'ledger.rec')];
    const before = readFileSync(mark);
    const ledger = await open();
    await ledger.extend([lock(6)]);
    await ledger[Symbol.asyncDispose]();
    opened = undefined;
    writeFileSync(mark, before);
    expect(readFileSync(path).length).toBe(file.length + lockRecordSize);
    const again = await open();
    expect(again.isDamaged).toBe(false);
    expect(again.of(nameOf(6))).toEqual(lock(6));
  });

  test.each([
    ['a flipped bit in the middle', () => flip(2)],
    ['a flipped bit in the last record', () => flip(5)],
    ['a ledger cut short', () => truncateSync(path, 3 * lockRecordSize)],
    ['a ledger that is gone', () => rmSync(path)],
    ['a mark that is damaged', () => writeFileSync(`${path}.rec`, new Uint8Array(70))],
  ])('says that it is damaged: %s', async (_, damage) => {
    await filled();
    damage();
    const ledger = await open();
    expect(ledger.isDamaged).toBe(true);
    await ledger.extend([lock(7)]);
    expect((await open()).isDamaged).toBe(true);
  });

  test('forgets damage only when an operator has looked, and notices the next', async () => {
    await filled();
    flip(2);
    await (await open()).acceptDamage();
    const ledger = await open();
    expect(ledger.isDamaged).toBe(false);
    expect(ledger.of(nameOf(2))).toBeUndefined();
    expect(ledger.of(nameOf(3))).toEqual(lock(3));
    await ledger[Symbol.asyncDispose]();
    opened = undefined;
    flip(4);
    expect((await open()).isDamaged).toBe(true);
  });

  test('takes no record that stands at another place', async () => {
    await filled();
    const bytes = readFileSync(path);
    bytes.copy(bytes, 0, lockRecordSize, 2 * lockRecordSize);
    writeFileSync(path, bytes);
    const ledger = await open();
    expect(ledger.isDamaged).toBe(true);
    expect(ledger.of(nameOf(1))).toBeUndefined();
  });
});
