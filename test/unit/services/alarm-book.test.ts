import { expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { AlarmBook, alarmId, type KnownAlarm } from '../../../src/services/alarm-book.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';

function alarm(subject: string, change: Partial<KnownAlarm> = {}): KnownAlarm {
  return {
    ...{ kind: 'site-lost', subject, text: `${subject} is lost`, facts: { site: subject } },
    ...{ sinceMs: 1, clearedMs: undefined, runbook: 'docs/runbooks/site-lost.md' },
    ...change,
  };
}

test('what was written is read again in the order of time, and what is over stays over', async () => {
  const index = new MemoryKeyValue();
  const book = await AlarmBook.open(index, collectingLog());
  await book.put(alarm('riga', { sinceMs: 2 }));
  await book.put(alarm('bern', { sinceMs: 3 }));
  await book.put(alarm('oslo', { sinceMs: 1 }));
  await book.put(alarm('riga', { sinceMs: 2, clearedMs: 9 }));
  const again = await AlarmBook.open(index, collectingLog());
  expect(again.all()).toEqual([
    alarm('oslo', { sinceMs: 1 }),
    alarm('riga', { sinceMs: 2, clearedMs: 9 }),
    alarm('bern', { sinceMs: 3 }),
  ]);
  expect(again.of('site-lost', 'riga')?.clearedMs).toBe(9);
});

test('an entry that cannot be read is left out, and noted', async () => {
  const index = new MemoryKeyValue();
  await index.batch([{ type: 'put', key: utf8('alarms/odd'), value: utf8('{"version":1}') }]);
  await index.batch([{ type: 'put', key: utf8('alarms/cut'), value: utf8('{"vers') }]);
  const log = collectingLog();
  const book = await AlarmBook.open(index, log);
  expect(book.all()).toEqual([]);
  expect(log.lines).toHaveLength(2);
});

test('of more than it holds, what is over is forgotten first, also on the disk', async () => {
  const index = new MemoryKeyValue();
  const book = await AlarmBook.open(index, collectingLog());
  await book.put(alarm('standing', { sinceMs: 1 }));
  await book.put(alarm('over', { sinceMs: 2, clearedMs: 3 }));
  for (let i = 0; i < 4095; i++) await book.put(alarm(`${i}`, { sinceMs: 10 + i }));
  expect(book.all()).toHaveLength(4096);
  expect(book.of('site-lost', 'over')).toBeUndefined();
  await book.put(alarm('one more', { sinceMs: 5000 }));
  expect(book.of('site-lost', 'standing')).toBeUndefined();
  const again = await AlarmBook.open(index, collectingLog());
  expect(again.all()).toHaveLength(4096);
});

test('an alarm has one id, whatever becomes of it', () => {
  expect(alarmId(alarm('riga'))).toMatch(/^[0-9a-f]{12}$/);
  expect(alarmId(alarm('riga', { clearedMs: 4 }))).toBe(alarmId(alarm('riga')));
  expect(alarmId(alarm('bern'))).not.toBe(alarmId(alarm('riga')));
});
