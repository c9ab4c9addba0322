import { hourMs, minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { alarmMessages } from '../../core/log-messages/alarm.ts';
import type { KeyValueOperation } from '../../ports/key-value.ts';
import type { Channel, Delivery, Notice } from '../../ports/messenger.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import { alarmId, type KnownAlarm } from '../alarm-book.ts';
import { Bell } from '../plan/bell.ts';
import type { NoticeQueue, QueuedNotice } from './notice-queue.ts';

export type NotifierOptions = {
  readonly channels: readonly Channel[];
  readonly queue: NoticeQueue;
  /** Who tells: of the cluster and of this host. */
  readonly sender: () => Pick<Notice, 'cluster' | 'agent'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** How a channel does, for people and programs. */
export type ChannelState = {
  readonly channel: string;
  readonly target: string;
  readonly waiting: number;
  /** Since this agent has started. */
  readonly sent: number;
  readonly givenUp: number;
  /** Why the newest attempt did not succeed; undefined: it did, or there was none. */
  readonly problem: string | undefined;
};

/** First wait after a failure, doubled each time. A receiver that restarts is back within the first few. */
const retryMinMs = 5 * secondMs;
const retryMaxMs = 15 * minuteMs;
/** What was not told within a day is no news any more; whether it still stands, `holdfast alerts` tells. */
const patienceMs = 24 * hourMs;
const quietMs = 1 * hourMs;

type Tally = { sent: number; givenUp: number; problem: string | undefined };

/** Brings notices to people by every channel, each in its order: one that is down keeps none of the others. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #bells: ReadonlyMap<string, Bell>;
  readonly #tallies = new Map<string, Tally>();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#bells = new Map(options.channels.map(({ name }) => [name, new Bell()]));
  }

  /** News of an alarm: what is to be written with it, and what is to be done after that. */
  news(alarm: KnownAlarm): { operations: KeyValueOperation[]; add: () => void } {
    if (this.#options.channels.length === 0) return { operations: [], add: () => {} };
    const { operations, add } = this.#options.queue.prepare(this.#noticeOf(alarm));
    return {
      operations,
      add: () => {
        add();
        for (const bell of this.#bells.values()) bell.ring();
      },
    };
  }

  #noticeOf(alarm: KnownAlarm): Notice {
    const { kind, subject, facts, runbook, sinceMs, clearedMs } = alarm;
    const state = clearedMs === undefined ? 'raised' : 'cleared';
    const timeMs = clearedMs ?? sinceMs;
    return {
      id: `${alarmId(alarm)}-${state}-${Math.floor(timeMs)}`,
      ...{ state, timeMs, alarm: kind, subject, sinceMs, facts },
      text: state === 'raised' ? alarm.text : `over: ${alarm.text}`,
      ...(runbook === undefined ? {} : { runbook }),
      ...this.#options.sender(),
    };
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    await Promise.all(this.#options.channels.map((channel) => this.#serve(channel, options)));
  }

  async #serve(channel: Channel, options: Cancel): Promise<void> {
    const { queue, clock } = this.#options;
    const bell = this.#bells.get(channel.name) as Bell;
    let failures = 0;
    while (options.signal?.aborted !== true) {
      const queued = queue.first(channel.name);
      if (queued === undefined) await bell.wait(clock, quietMs, options);
      else if (await this.#deliver(channel, queued, options)) failures = 0;
      else {
        const waitMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures++, 16));
        await clock.sleep(waitMs, options).catch(() => {});
      }
    }
  }

  /** False: it has to be tried again. */
  async #deliver(channel: Channel, queued: QueuedNotice, options: Cancel): Promise<boolean> {
    const { clock, log } = this.#options;
    const { notice } = queued;
    const delivery = await attempt(channel, notice, options);
    if (delivery === undefined) return false;
    const tally = this.#tallyOf(channel.name);
    tally.problem = delivery.outcome === 'sent' ? undefined : delivery.reason;
    const about = { channel: channel.name, id: notice.id, alarm: notice.alarm };
    if (delivery.outcome === 'sent') {
      tally.sent++;
      log.log('info', alarmMessages.peopleTold, { ...about, state: notice.state });
      return this.#done(queued);
    }
    const isOld = clock.nowMs() - notice.timeMs > patienceMs;
    const { reason } = delivery;
    if (delivery.outcome === 'failed' && !isOld) {
      log.log('warn', alarmMessages.noticeNotYetSent, { ...about, reason });
      return false;
    }
    tally.givenUp++;
    log.log('error', alarmMessages.noticeGivenUp, { ...about, reason });
    return this.#done(queued);
  }

  async #done(queued: QueuedNotice): Promise<boolean> {
    try {
      await this.#options.queue.remove(queued);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      // After a restart it is told again: better than not at all.
      this.#options.log.log('warn', alarmMessages.sentNoticeStays, { code });
    }
    return true;
  }

  /** Sends one by each channel at once, past the queue. */
  async test(options: Cancel = {}): Promise<{ channel: Channel; delivery: Delivery }[]> {
    const { channels, clock, sender } = this.#options;
    const nowMs = clock.nowMs();
    const { agent } = sender();
    const notice: Notice = {
      id: `test-${Math.floor(nowMs)}`,
      ...{
        state: 'test',
        timeMs: nowMs,
        sinceMs: nowMs,
        alarm: 'test',
        subject: 'test',
        facts: {},
      },
      text: `this is a test of ${agent.name}: nothing is wrong. Real alarms come like this one`,
      ...sender(),
    };
    return Promise.all(
      channels.map(async (channel) => ({
        channel,
        delivery: (await attempt(channel, notice, options)) ?? {
          outcome: 'failed',
          reason: 'the agent is stopping',
        },
      })),
    );
  }

  states(): ChannelState[] {
    const { channels, queue } = this.#options;
    return channels.map(({ name, messenger }) => ({
      ...{ channel: name, target: messenger.target, waiting: queue.count(name) },
      ...this.#tallyOf(name),
    }));
  }

  #tallyOf(channel: string): Tally {
    const known = this.#tallies.get(channel) ?? { sent: 0, givenUp: 0, problem: undefined };
    this.#tallies.set(channel, known);
    return known;
  }
}

/** Undefined: it was called off. */
async function attempt(
  { messenger }: Channel,
  notice: Notice,
  options: Cancel,
): Promise<Delivery | undefined> {
  try {
    return await messenger.send(notice, options);
  } catch (error) {
    if (options.signal?.aborted === true) return undefined;
    throw error;
  }
}
