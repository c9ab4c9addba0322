import { describe, expect, test } from 'vitest';
import { hourMs, minuteMs, secondMs } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Delivery, Notice } from '../../../../src/ports/messenger.ts';
import { AlarmBook, type KnownAlarm } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import { NoticeQueue } from '../../../../src/services/notify/notice-queue.ts';
import { Notifier } from '../../../../src/services/notify/notifier.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';

const sent: Delivery = { outcome: 'sent' };
const failed: Delivery = { outcome: 'failed', reason: 'nobody there' };
const refused: Delivery = { outcome: 'refused', reason: 'answered 404' };
const alarm = { kind: 'site-lost', subject: 'riga', text: 'riga is lost', facts: { site: 'riga' } };

/** A host with channels that answer as a test says, and what each was sent. */
class Bench implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly index = new MemoryKeyValue();
  readonly log = collectingLog();
  readonly answers: Record<string, Delivery> = {};
  readonly got: Record<string, { atMs: number; notice: Notice }[]> = {};
  notifier!: Notifier;
  alarms!: Alarms;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  async start(...names: string[]): Promise<this> {
    const { index, log, clock } = this;
    const channels = names.map((name) => ({
      name,
      messenger: {
        target: `${name} target`,
        send: async (notice: Notice) => {
          this.got[name] ??= [];
          this.got[name].push({ atMs: clock.monotonicMs(), notice });
          return this.answers[name] ?? sent;
        },
      },
    }));
    const queue = await NoticeQueue.open(index, names, log);
    const sender = () => ({
      cluster: { id: 'c1', name: 'home' },
      agent: { name: 'oslo', site: 'oslo' },
    });
    this.notifier = new Notifier({ channels, queue, sender, clock, log });
    const book = await AlarmBook.open(index, log);
    const news = (known: KnownAlarm) => this.notifier.news(known);
    this.alarms = new Alarms({ clock, book, news, log });
    this.#stop = new AbortController();
    this.#running = this.notifier.run({ signal: this.#stop.signal });
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new HoldfastError('interrupted', 'stopping'));
    await this.#running;
  }

  states(name: string): string[] {
    return (this.got[name] ?? []).map(({ notice }) => notice.state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

describe('news of an alarm', () => {
  test('goes out by every channel, when it is raised and when it is over', async () => {
    await using bench = await new Bench().start('command', 'mail');
    await bench.alarms.raise(alarm);
    await bench.clock.advance(secondMs);
    await bench.alarms.settle(alarm.kind, []);
    await bench.clock.advance(secondMs);
    for (const name of ['command', 'mail']) {
      expect(bench.got[name]).toMatchObject([
        { notice: { state: 'raised', alarm: 'site-lost', text: 'riga is lost' } },
        { notice: { state: 'cleared', text: 'over: riga is lost', agent: { name: 'oslo' } } },
      ]);
    }
    expect(bench.notifier.states()).toMatchObject([
      { channel: 'command', waiting: 0, sent: 2, problem: undefined },
      { channel: 'mail', waiting: 0, sent: 2 },
    ]);
  });

  test('is tried again later and later, in its order, and keeps no other channel waiting', async () => {
    await using bench = await new Bench().start('webhook 1', 'mail');
    bench.answers['webhook 1'] = failed;
    await bench.alarms.raise(alarm);
    await bench.clock.advance(1);
    await bench.alarms.settle(alarm.kind, []);
    await bench.clock.advance(40 * secondMs);
    expect(bench.states('mail')).toEqual(['raised', 'cleared']);
    expect(bench.got['webhook 1']?.map(({ atMs }) => atMs)).toEqual([0, 5000, 15_000, 35_000]);
    expect(new Set(bench.states('webhook 1'))).toEqual(new Set(['raised']));
    expect(bench.notifier.states()[0]).toMatchObject({ waiting: 2, problem: 'nobody there' });
    bench.answers['webhook 1'] = sent;
    await bench.clock.advance(40 * secondMs);
    expect(bench.states('webhook 1').slice(-2)).toEqual(['raised', 'cleared']);
    expect(bench.notifier.states()[0]).toMatchObject({ waiting: 0, sent: 2, problem: undefined });
  });

  test('waits a quarter of an hour at most between two attempts, and is given up after a day', async () => {
    await using bench = await new Bench().start('mail');
    bench.answers.mail = failed;
    await bench.alarms.raise(alarm);
    await bench.clock.advance(23 * hourMs);
    const times = bench.got.mail?.map(({ atMs }) => atMs) ?? [];
    expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(15 * minuteMs);
    expect(bench.notifier.states()).toMatchObject([{ waiting: 1, givenUp: 0 }]);
    await bench.clock.advance(2 * hourMs);
    expect(bench.notifier.states()).toMatchObject([{ waiting: 0, givenUp: 1 }]);
    expect(bench.log.lines.map(({ message }) => message)).toContain('a notice was given up');
  });

  test('that is refused is given up at once, and what comes after it is told', async () => {
    await using bench = await new Bench().start('webhook 1');
    bench.answers['webhook 1'] = refused;
    await bench.alarms.raise(alarm);
    await bench.clock.advance(1);
    bench.answers['webhook 1'] = sent;
    await bench.alarms.raise({ ...alarm, subject: 'bern' });
    await bench.clock.advance(1);
    expect(bench.got['webhook 1']?.map(({ notice }) => notice.subject)).toEqual(['riga', 'bern']);
    expect(bench.notifier.states()).toMatchObject([{ sent: 1, givenUp: 1, waiting: 0 }]);
  });

  test('survives a restart, with the same id, and is not told again by channels that had it', async () => {
    const bench = await new Bench().start('webhook 1', 'mail');
    bench.answers['webhook 1'] = failed;
    await bench.alarms.raise(alarm);
    await bench.clock.advance(1);
    await bench.stop();
    bench.answers['webhook 1'] = sent;
    await bench.start('webhook 1', 'mail');
    await bench.clock.advance(1);
    const ids = bench.got['webhook 1']?.map(({ notice }) => notice.id);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(bench.states('mail')).toEqual(['raised']);
    await bench.stop();
    await bench.start('webhook 1', 'mail');
    await bench.clock.advance(hourMs);
    expect(bench.states('webhook 1')).toHaveLength(2);
    await bench.stop();
  });

  test('for a channel that is no longer configured is dropped', async () => {
    const bench = await new Bench().start('mail');
    bench.answers.mail = failed;
    await bench.alarms.raise(alarm);
    await bench.clock.advance(1);
    await bench.stop();
    await bench.start('command');
    await bench.stop();
    await bench.start('command', 'mail');
    expect(bench.notifier.states()).toMatchObject([{ waiting: 0 }, { waiting: 0 }]);
    await bench.stop();
  });

  test('of more than a thousand that wait keeps the newest', async () => {
    await using bench = await new Bench().start('mail');
    bench.answers.mail = failed;
    for (let i = 0; i < 1002; i++) await bench.alarms.raise({ ...alarm, subject: `${i}` });
    expect(bench.notifier.states()).toMatchObject([{ waiting: 1000 }]);
    const dropped = bench.log.lines.filter(({ message }) => message.includes('too many wait'));
    expect(dropped).toHaveLength(2);
  });
});

test('a test goes out at once by each channel, and says what came of it', async () => {
  await using bench = await new Bench().start('command', 'mail');
  bench.answers.mail = refused;
  const results = await bench.notifier.test();
  expect(results.map(({ channel, delivery }) => [channel.name, delivery])).toEqual([
    ['command', sent],
    ['mail', refused],
  ]);
  expect(bench.got.command?.[0]?.notice).toMatchObject({ state: 'test', alarm: 'test' });
  expect(bench.notifier.states()).toMatchObject([{ sent: 0 }, { waiting: 0 }]);
});
