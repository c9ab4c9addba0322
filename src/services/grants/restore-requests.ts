import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { CommandHash, RestoreRequest } from '../../core/format/control-records.ts';
import { shortId, type StatementHash } from '../../core/ids.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import { policyDefaults } from '../../core/policy/policy-document.ts';
import { isUnderWay } from '../../core/protocol/control/proposal.ts';
import { isGrantUnderWay } from '../../core/protocol/control/restore-grant.ts';
import type { Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Ledger } from '../ledger.ts';
import type { OneTimeKeys } from './one-time-keys.ts';

export type RestoreRequestsOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self' | 'submit' | 'onApplied'>;
  readonly ledger: Pick<Ledger, 'manifest' | 'roster'>;
  readonly keys: OneTimeKeys;
  readonly log: Log;
};

/** What somebody wants to restore on this host. */
export type Wish = {
  readonly snapshot: StatementHash;
  /** Empty: everything. */
  readonly path: string;
  /** Undefined: as long as the policy allows. */
  readonly lastsMs: number | undefined;
  readonly reason: string;
};

/** Asks operators, in the control log, for the keys of one snapshot; forgets what would open them in time. */
export class RestoreRequests {
  readonly #options: RestoreRequestsOptions;
  readonly #forgotten = new Set<string>();
  #release: (() => void) | undefined;

  constructor(options: RestoreRequestsOptions) {
    this.#options = options;
  }

  /** Forgets identities of requests that have ended, until disposed. */
  async start(): Promise<void> {
    this.#release = this.#options.control.onApplied(({ body: { kind } }) => {
      // Whatever may have ended one: an operator's word, or time.
      if (!['deny', 'approve', 'restore-end', 'time'].includes(kind)) return;
      this.#forgetEnded().catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
        this.#options.log.log('warn', trustMessages.requestKeyNotForgotten, {});
      });
    });
    await this.#forgetEnded();
  }

  /** @returns the id of the request. @throws HoldfastError not-found | not-permitted | no-quorum */
  async ask({ snapshot, path, lastsMs, reason }: Wish): Promise<CommandHash> {
    const { control, ledger, keys } = this.#options;
    const record = ledger.manifest(snapshot);
    const of = record?.statement.writer;
    const dataset = record?.manifest.dataset;
    const name =
      of === undefined || dataset === undefined
        ? undefined
        : ledger.roster.datasetOf(of, dataset)?.ruleName;
    if (of === undefined || dataset === undefined || name === undefined) {
      throw new HoldfastError('not-found', `snapshot ${shortId(snapshot)} is not known here`, {
        next: 'holdfast snapshots',
      });
    }
    const allowed = control.state.policy.ruleFor(name).restore?.expiresMs ?? policyDefaults.grantMs;
    const recipient = await keys.make();
    const request: RestoreRequest = {
      ...{ agent: control.self, dataset, writer: of, snapshot, name, path },
      ...{ recipient, lastsMs: lastsMs ?? allowed, reason },
    };
    try {
      const answer = await control.submit({ kind: 'restore-request', ...request });
      if (answer.outcome === 'void') {
        throw new HoldfastError('not-permitted', `the request was refused: ${answer.reason}`, {
          next: 'holdfast approve list',
        });
      }
    } catch (error) {
      // One of which nobody knows what became of it may yet be approved: its key is no use then.
      await keys.forget(recipient);
      throw error;
    }
    return this.#idOf(recipient);
  }

  #idOf(recipient: string): CommandHash {
    const found = this.#options.control.state.proposals.all().find(({ command: { body } }) => {
      return body.kind === 'restore-request' && body.recipient === recipient;
    });
    if (found !== undefined) return found.hash;
    throw new HoldfastError('not-found', 'the request has ended already', {
      next: 'holdfast approve list',
    });
  }

  async #forgetEnded(): Promise<void> {
    const { control, keys } = this.#options;
    const { proposals, restoreGrants } = control.state;
    const open = new Set<string>();
    const over = new Set<string>();
    for (const proposal of proposals.all()) {
      const { body } = proposal.command;
      if (body.kind !== 'restore-request' || body.agent !== control.self) continue;
      (isUnderWay(proposal) ? open : over).add(body.recipient);
    }
    for (const grant of restoreGrants.all()) {
      if (grant.request.agent !== control.self) continue;
      (isGrantUnderWay(grant) ? open : over).add(grant.request.recipient);
    }
    for (const recipient of over) {
      if (open.has(recipient) || this.#forgotten.has(recipient)) continue;
      this.#forgotten.add(recipient);
      await keys.forget(recipient);
    }
  }

  [Symbol.dispose](): void {
    this.#release?.();
  }
}
