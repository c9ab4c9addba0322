import { secondMs } from '../../base/units.ts';
import { clusterStream } from '../../core/format/statement.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { evidenceOf } from '../../core/protocol/control/proposal.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { ControlAccess } from './control-access.ts';
import { repeat } from './duty.ts';

export type InviteKeeperOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self'>;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 1 * secondMs;

/**
 * Tells in a statement of each invite of this host that operators have signed one after the other: who joins knows no
 * control log, and must be able to judge it.
 */
export class InviteKeeper {
  readonly #options: InviteKeeperOptions;

  constructor(options: InviteKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: controlMessages.inviteNotTold } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.look(), options);
  }

  async look(): Promise<void> {
    const { control, ledger, clock } = this.#options;
    for (const proposal of control.state.proposals.all()) {
      const { body } = proposal.command;
      if (body.kind !== 'invite' || proposal.state !== 'done') continue;
      if (body.issuer !== control.self || clock.nowMs() > body.notAfterMs) continue;
      if (ledger.roster.isInvited(body.inviteKey)) continue;
      await ledger.append(clusterStream, {
        kind: 'proved-invite',
        evidence: evidenceOf(proposal),
      });
    }
  }
}
