import { secondMs } from '../../base/units.ts';
import { codeOf, type HoldfastError } from '../../core/errors.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import { outdatedSoftware } from '../../core/protocol/control/format-book.ts';
import type { RaftSnapshot } from '../../core/protocol/raft/types.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import { snapshotState } from './log-snapshot.ts';

type Image = ReturnType<typeof snapshotState>;

const yieldPeriodMs = 20 * secondMs;

/**
 * Knows whether this software can read the log. Once it cannot, nothing is applied: it might mean something else
 * than is read here. Entries are kept and passed on, and leaders elected, as before.
 */
export class FormatGuard {
  readonly #clock: Clock;
  readonly #log: Log;
  /** Format of a snapshot that came. */
  #unreadable: number | undefined;
  #yieldedMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Format of the log, if it is not known here. */
  outdatedBy({ format: { current, isKnown } }: ControlState): number | undefined {
    return isKnown ? this.#unreadable : current;
  }

  /** What comes of a command is not seen here any more. @throws HoldfastError outdated-software */
  require(state: ControlState): void {
    const format = this.outdatedBy(state);
    if (format !== undefined) throw outdatedSoftware(format);
  }

  /** To be called when the state is a new one. */
  note(state: ControlState): void {
    const format = this.outdatedBy(state);
    if (format === undefined) return;
    const { next } = outdatedSoftware(format);
    this.#log.log('error', controlMessages.softwareOutdated, { format, next });
  }

  /** What a snapshot holds; undefined: it cannot be read here. @throws HoldfastError bad-encoding */
  read(snapshot: RaftSnapshot, ledger: Ledger): Image | undefined {
    try {
      return snapshotState(snapshot, ledger);
    } catch (error) {
      if (codeOf(error) !== 'outdated-software') throw error;
      this.#unreadable = Number((error as HoldfastError).details.format);
      return undefined;
    }
  }

  /**
   * Whether it is time to let another one lead: who applies nothing coordinates nothing. Now and then only: where
   * no voter knows the format, they would hand the lead round and round.
   */
  mustYield(state: ControlState): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.outdatedBy(state) === undefined || nowMs - this.#yieldedMs < yieldPeriodMs) {
      return false;
    }
    this.#yieldedMs = nowMs;
    return true;
  }
}
