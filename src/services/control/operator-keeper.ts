import { secondMs } from '../../base/units.ts';
import { clusterStream } from '../../core/format/statement.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { ControlLog } from './control-log.ts';
import { repeat } from './duty.ts';

export type OperatorKeeperOptions = {
  readonly control: ControlLog;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 2 * secondMs;

/**
 * Tells of new operators in statements, while this host leads: whoever joins by an invite of theirs knows no
 * control log yet, and must be able to judge the invite.
 */
export class OperatorKeeper {
  readonly #options: OperatorKeeperOptions;

  constructor(options: OperatorKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.operatorsNotTold } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.#tell(), options);
  }

  async #tell(): Promise<void> {
    const { control, ledger } = this.#options;
    if (!control.isLeading) return;
    for (const { value, evidence } of control.state.operators.history) {
      if (evidence.length === 0 || ledger.roster.isTold(value)) continue;
      await ledger.append(clusterStream, { kind: 'operators', evidence });
    }
  }
}
