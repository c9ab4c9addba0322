import { secondMs } from '../../base/units.ts';
import type { DatasetId } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { Lease } from '../../core/protocol/control/lease-book.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { problemIn } from './run-view.ts';
import { isHeld } from './standby.ts';

export type LeaseWatchOptions = {
  readonly control: ControlAccess;
  readonly clock: Clock;
  readonly log: Log;
};

const lookMs = 1 * secondMs;

/** How long a voter waits: an eighth more than the lease, since no two clocks run alike, and a moment. */
export function lapseAfterMs(forMs: number): number {
  return forMs + forMs / 8 + 2 * secondMs;
}

/**
 * Says in the log that a lease has run out, when a promotion waits for it. Time counts from when this process has
 * seen the renewal, which is after it was signed; an agent that restarts counts anew.
 */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #seen = new Map<DatasetId, { readonly place: string; readonly sinceMs: number }>();

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
  }

  /** Watches until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const { clock, log } = this.#options;
    const options = signal === undefined ? {} : { signal };
    while (signal?.aborted !== true) {
      try {
        await this.look(options);
      } catch (error) {
        const problem = problemIn(error, options);
        if (problem === undefined) return;
        log.log('info', planMessages.lapsedLeaseNotReported, { code: problem.code });
      }
      await clock.sleep(lookMs, options).catch(() => {});
    }
  }

  /** One look at all leases. @throws HoldfastError no-quorum */
  async look(options: Cancel = {}): Promise<void> {
    const { control, clock, log } = this.#options;
    const { leases, config } = control.state;
    const current = leases.all().flatMap(({ dataset }) => leases.of(dataset) ?? []);
    for (const lease of current) {
      const sinceMs = this.#sinceMs(lease);
      const isVoter = config.voters.includes(control.self);
      if (!isVoter || lease.lapsed.includes(control.self) || !this.#isWanted(lease)) continue;
      if (clock.monotonicMs() - sinceMs < lapseAfterMs(lease.forMs)) continue;
      const { dataset, incarnation, generation, index } = lease;
      const body = { kind: 'lease-lapse', dataset, incarnation, generation, index } as const;
      const { outcome } = await control.submit(body, options);
      log.log('warn', planMessages.leaseHasRunOut, { dataset, incarnation, outcome });
    }
  }

  #sinceMs({ dataset, generation, index }: Lease): number {
    const place = `${generation}/${index}`;
    const seen = this.#seen.get(dataset);
    if (seen?.place === place) return seen.sinceMs;
    const sinceMs = this.#options.clock.monotonicMs();
    this.#seen.set(dataset, { place, sinceMs });
    return sinceMs;
  }

  /** A plan that is under way would promote another copy: else a line that is cut for a while costs nothing. */
  #isWanted({ dataset }: Lease): boolean {
    const { state } = this.#options.control;
    return state.plans.open().some((found) => {
      const { record, run } = found;
      const name = record.plan.datasets.find(({ id }) => id === dataset)?.name;
      const steps = record.plan.steps.filter(
        (step) => step.kind === 'promote' && step.dataset === name,
      );
      const isOpen = steps.some(({ id }) => run.steps.get(id)?.state !== 'done');
      return run.state === 'running' && isOpen && !isHeld(state, found);
    });
  }
}
