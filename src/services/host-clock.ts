import { fromUtf8, utf8 } from '../base/bytes.ts';
import { minuteMs, secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import {
  type ClockFreeze,
  driftOf,
  freezeTime,
  type HostTime,
  latestTime,
  observeTime,
  type TimeInput,
  thaw,
  unknownTime,
} from '../core/policy/conservative-time.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { RecordStore } from '../ports/record-store.ts';
import { repeat } from './control/duty.ts';
import type { ConservativeTime } from './control/time-keeper.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';

export type HostClockOptions = {
  readonly peers: Pick<Peers, 'clocks'>;
  readonly ledger: Pick<Ledger, 'roster' | 'self'>;
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
};

const recordName = 'time';
const periodMs = 10 * secondMs;
/** How much of it a crash may forget. */
const persistEveryMs = 5 * minuteMs;
/** Said once: somebody has set the clock. */
const warnMs = 5 * minuteMs;

/**
 * What time it surely is here, whatever somebody does to this host's clock: the only time by which anything is
 * unlocked or deleted. It is kept on disk, so that a restart does not take it back.
 */
export class HostClock implements ConservativeTime {
  readonly #options: HostClockOptions;
  #time: HostTime;
  #persisted: HostTime;

  /** `time`: what `readHostTime` has read. */
  constructor(options: HostClockOptions, time: HostTime) {
    this.#options = options;
    this.#time = time;
    this.#persisted = time;
  }

  /** Milliseconds since 1970; undefined while nobody elsewhere has told the time since the first start. */
  nowMs(): number | undefined {
    this.#observe();
    return this.#time.floorMs === 0 ? undefined : this.#time.floorMs;
  }

  /** At what time it may be already: what begins now and is to last is counted from here. */
  latestMs(): number {
    this.#observe();
    return latestTime(this.#time, this.#input());
  }

  /** Set while nothing may be deleted here. */
  get freeze(): ClockFreeze | undefined {
    this.#observe();
    return this.#time.freeze;
  }

  /** Nothing may be deleted here, for a reason of another kind than the clock. */
  halt(reason: string): void {
    this.#time = freezeTime(this.#time, reason);
  }

  /** Operators have acknowledged the freezes up to this number. */
  async thaw(number: number): Promise<void> {
    const { freeze } = this.#time;
    this.#time = thaw(this.#time, number);
    if (freeze === undefined || this.#time.freeze !== undefined) return;
    this.#options.log.log('warn', storageMessages.deletionGoesOn, {
      freeze: freeze.number,
    });
    await this.#persist();
  }

  /** Follows the clocks until the signal. */
  async run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.timeNotKept } as const;
    await repeat({ ...this.#options, periodMs, failure }, () => this.step(), options);
    await this.#persist();
  }

  /** One look at the clocks, kept on disk when it tells something new. */
  async step(): Promise<void> {
    this.#observe();
    const { floorMs, freezes, freeze } = this.#time;
    const isNew = freezes !== this.#persisted.freezes || freeze !== this.#persisted.freeze;
    if (isNew || floorMs - this.#persisted.floorMs >= persistEveryMs) await this.#persist();
  }

  #observe(): void {
    const input = this.#input();
    const before = this.#time;
    this.#time = observeTime(before, input);
    const { freeze, lastReading } = this.#time;
    const { log } = this.#options;
    if (freeze !== undefined && freeze !== before.freeze) {
      const { number, reason } = freeze;
      log.log('error', storageMessages.deletionFrozen, { number, reason });
    } else if (before.lastReading !== undefined && lastReading !== undefined) {
      const driftMs = Math.round(driftOf(before.lastReading, lastReading));
      if (Math.abs(driftMs) > warnMs) log.log('warn', storageMessages.clockSet, { driftMs });
    }
  }

  #input(): TimeInput {
    const { peers, ledger, clock } = this.#options;
    const { roster, self } = ledger;
    const own = self === undefined ? undefined : roster.member(self)?.site;
    const others = roster.members().filter(({ agentKey }) => agentKey !== self);
    const elsewhere = others.filter(({ site }) => site !== own);
    const known = peers.clocks();
    return {
      reading: { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() },
      // Hosts of this site are its owner's, as its own clock is; they count where there is no other.
      peers: elsewhere.length === 0 ? known : known.filter(({ site }) => site !== own),
      hasOthers: others.length > 0,
    };
  }

  async #persist(): Promise<void> {
    const time = this.#time;
    if (time === this.#persisted) return;
    await this.#options.records.write(recordName, timeRecord(time));
    this.#persisted = time;
  }
}

/**
 * What this host knew of the time when it last ran. A damaged record does not make it forget that there was one:
 * it begins frozen. @throws HoldfastError io-error
 */
export async function readHostTime(records: RecordStore): Promise<HostTime> {
  try {
    const record = await records.read(recordName);
    return record === undefined ? unknownTime : timeIn(record);
  } catch (error) {
    if (codeOf(error) !== 'corrupt') throw error;
    return freezeTime(unknownTime, 'the record of what time it was at this host is damaged');
  }
}

function timeRecord({ floorMs, freezes, freeze }: HostTime): Uint8Array {
  return utf8(JSON.stringify({ floorMs, freezes, freeze }));
}

function timeIn(record: Uint8Array): HostTime {
  try {
    const value = JSON.parse(fromUtf8(record) ?? '');
    const { floorMs, freezes, freeze } = value as HostTime;
    if (Number.isSafeInteger(floorMs) && Number.isSafeInteger(freezes)) {
      return { floorMs, freezes, freeze, lastReading: undefined };
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new HoldfastError('corrupt', 'the record of the time cannot be read');
}
