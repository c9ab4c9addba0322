import { hourMs, minuteMs, secondMs } from '../../base/units.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type { TimeWait } from '../../core/protocol/control/time-book.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';

/** What time it surely is at this host, whatever somebody has done to its clock. */
export type ConservativeTime = {
  /** Milliseconds since 1970; undefined while that is not known. */
  nowMs(): number | undefined;
};

export type TimeKeeperOptions = {
  readonly control: ControlLog;
  readonly time: ConservativeTime;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 2 * secondMs;
/** So often a voter speaks when nothing waits for it. */
const idleMs = hourMs;
/** A word that was this much too high is taken back. */
const errorMs = 5 * minuteMs;

/** Says this host's conservative time in the control log while it votes: hourly, and when something waits for it. */
export class TimeKeeper {
  readonly #options: TimeKeeperOptions;

  constructor(options: TimeKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.timeNotSaid } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#say(cancel), options);
  }

  async #say(options: Cancel): Promise<void> {
    const { control, time } = this.#options;
    const nowMs = time.nowMs();
    if (nowMs === undefined || !control.state.authority.isVoter(control.self)) return;
    // Without a leader nobody could take it, and asking would only hold up the next round.
    if (control.status().leader === undefined || !this.#isDue(nowMs)) return;
    await control.submit({ kind: 'time', logTimeMs: nowMs }, options);
  }

  #isDue(nowMs: number): boolean {
    const { self, state } = this.#options.control;
    const word = state.time.of(self);
    if (word === undefined) return true;
    if (word.timeMs === nowMs) return false;
    if (nowMs - word.timeMs >= idleMs || word.timeMs - nowMs >= errorMs) return true;
    const waits: readonly TimeWait[] = state.waits();
    return state.time.isAwaited(self, waits, nowMs);
  }
}
