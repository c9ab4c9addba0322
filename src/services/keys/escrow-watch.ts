import { secondMs } from '../../base/units.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import { escrowHealth } from '../../core/policy/escrow-health.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import { escrowFacts } from '../../core/protocol/control/escrow-book.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';

export type EscrowWatchOptions = {
  readonly control: { readonly state: Pick<ControlState, 'escrow' | 'keys' | 'time'> };
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 15 * secondMs;

/** Raises an alarm when the kit can be made no more, or just, out of the shares that custodians have shown lately. */
export class EscrowWatch {
  readonly #options: EscrowWatchOptions;

  constructor(options: EscrowWatchOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.escrowNotJudged } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
  }

  async look(): Promise<void> {
    const { control, alarms } = this.#options;
    const { escrow, keys, time } = control.state;
    const over = (): Promise<void> => alarms.settle('escrow', []);
    if (escrow.current === undefined) return over();
    const facts = escrowFacts(escrow.current, keys.kit.version);
    const { state, words, custodians } = escrowHealth(facts, time.nowMs);
    if (words === undefined || state === 'due') return over();
    const overdue = custodians.filter(({ isOverdue }) => isOverdue).map(({ name }) => name);
    // After the next proof it is another matter, and worth another alarm.
    const proofs = Math.max(0, ...[...escrow.current.proofs.values()].map(({ index }) => index));
    const subject = `${escrow.current.id.slice(0, 16)}/${state}/${overdue.length}/${proofs}`;
    const told = { state, overdue: overdue.join(', ') };
    await alarms.raise({ kind: 'escrow', subject, text: words, facts: told });
    await alarms.settle('escrow', [subject]);
  }
}
