import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { AlarmBook, alarmId, type KnownAlarm } from '../../../src/services/alarm-book.ts';
import { Alarms } from '../../../src/services/alarms.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';

async function bench() {
  const news: KnownAlarm[] = [];
  const lines: string[] = [];
  let nowMs = 0;
  const index = new MemoryKeyValue();
  const book = await AlarmBook.open(index, { log: () => {} });
  const alarms = new Alarms({
    clock: { nowMs: () => ++nowMs },
    ...{ book, log: { log: (level, message) => lines.push(`${level} ${message}`) } },
    news: (known) => ({ operations: [], add: () => news.push(known) }),
  });
  return { alarms, news, lines, book, index };
}

const alarm = {
  ...{ kind: 'suspect-snapshot', subject: 'abcd', text: 'look at it' },
  facts: { dataset: 'web' },
};

describe('alarms', () => {
  test('are told once for each subject, with the page that says what to do', async () => {
    const { alarms, news, lines } = await bench();
    await alarms.raise(alarm);
    await alarms.raise(alarm);
    await alarms.raise({ ...alarm, subject: 'beef' });
    expect(news).toMatchObject([
      { ...alarm, sinceMs: 1, runbook: 'docs/runbooks/ransomware.md' },
      { subject: 'beef' },
    ]);
    expect(lines).toEqual(['error alarm', 'error alarm']);
  });

  test('are over when what is looked at does not show them any more, and may come again', async () => {
    const { alarms, news } = await bench();
    await alarms.raise(alarm);
    await alarms.raise({ ...alarm, kind: 'forgery' });
    await alarms.settle(alarm.kind, ['abcd']);
    expect(alarms.all().map(({ clearedMs }) => clearedMs)).toEqual([undefined, undefined]);
    await alarms.settle(alarm.kind, []);
    await alarms.settle(alarm.kind, []);
    expect(alarms.all()).toMatchObject([
      { kind: alarm.kind, sinceMs: 1, clearedMs: 3, runbook: 'docs/runbooks/ransomware.md' },
      { kind: 'forgery', clearedMs: undefined },
    ]);
    await alarms.raise(alarm);
    expect(news.map(({ clearedMs }) => clearedMs)).toEqual([undefined, undefined, 3, undefined]);
    expect(alarms.all().at(-1)).toMatchObject({ kind: alarm.kind, clearedMs: undefined });
  });

  test('are told also when they cannot be written down', async () => {
    const { alarms, news, lines, book } = await bench();
    book.put = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    await alarms.raise(alarm);
    expect(news).toHaveLength(1);
    expect(lines).toEqual(['error alarm', 'error an alarm was not written down']);
  });

  test('that people know of are not told again after a restart', async () => {
    const { alarms, index } = await bench();
    await alarms.raise(alarm);
    const news: KnownAlarm[] = [];
    const again = new Alarms({
      ...{ clock: { nowMs: () => 9 }, log: { log: () => {} } },
      book: await AlarmBook.open(index, { log: () => {} }),
      news: (known) => ({ operations: [], add: () => news.push(known) }),
    });
    await again.raise(alarm);
    expect(news).toEqual([]);
    await again.settle(alarm.kind, []);
    expect(news).toMatchObject([{ sinceMs: 1, clearedMs: 9 }]);
  });
});

describe('by hand', () => {
  test('what tells of something that has happened once is cleared, and told again when it comes again', async () => {
    const { alarms, news } = await bench();
    await alarms.raise(alarm);
    const cleared = await alarms.clear(alarmId(alarm).slice(0, 4).toUpperCase());
    expect(cleared.clearedMs).toBe(2);
    expect(alarms.all()).toMatchObject([{ clearedMs: 2 }]);
    await alarms.raise(alarm);
    expect(news.map(({ clearedMs }) => clearedMs)).toEqual([undefined, 2, undefined]);
  });

  test('what clears itself cannot be cleared, nor what does not stand, nor one of several', async () => {
    const { alarms } = await bench();
    await alarms.raise(alarm);
    await alarms.raise({ ...alarm, subject: 'beef' });
    await expect(alarms.clear('')).rejects.toMatchObject({ code: 'ambiguous' });
    await expect(alarms.clear('zz')).rejects.toMatchObject({ code: 'not-found' });
    await alarms.settle(alarm.kind, ['abcd', 'beef']);
    await expect(alarms.clear(alarmId(alarm))).rejects.toMatchObject({ code: 'usage' });
  });
});
