import { assert } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import type { AgentKey } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { PlanDataset, PlanStep } from '../../core/policy/restore-plan.ts';
import type { Incarnation } from '../../core/protocol/control/incarnation-book.ts';
import type { Lease } from '../../core/protocol/control/lease-book.ts';
import { isSplit, type Slot } from '../../core/protocol/control/slot.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { backOffMs } from './back-off.ts';
import { lapseAfterMs } from './lease-watch.ts';
import type { RunView } from './run-view.ts';
import { promotionTarget } from './worker-choice.ts';

type PromoteStep = PlanStep & { readonly kind: 'promote' };

const pollMs = secondMs / 2;

/**
 * Makes the restored copy the live one: opens the next incarnation's slot in the log, waits for the voters'
 * word. No agent does anything for it; who is live follows from the log alone.
 */
export class PromotionDriver {
  readonly #view: RunView;
  readonly #step: PromoteStep;

  constructor(view: RunView, step: PromoteStep) {
    this.#view = view;
    this.#step = step;
  }

  /** Resolves when it is decided or needs an operator. @throws HoldfastError no-quorum; the signal's reason */
  async run(options: Cancel): Promise<void> {
    const at = this.#view.at(this.#step);
    if (at === undefined) return;
    const { clock } = this.#view.tools;
    if (at.state === 'failed') await clock.sleep(backOffMs(at.attempt), options);
    if (at.state !== 'started' && !(await this.#begin(options))) return;
    await this.#await(options);
  }

  /** waiting | failed -> started. What an earlier attempt has opened is taken up, not opened again. */
  async #begin(options: Cancel): Promise<boolean> {
    const found = this.#view.found;
    const at = this.#view.at(this.#step);
    const known = this.#incarnation();
    if (found?.run.state !== 'running' || at === undefined || known === undefined) return false;
    const begun = this.#isOwn(known.slot) ? known.slot?.target : this.#promotedTo(known);
    if (begun !== undefined) {
      const mark = { attempt: at.attempt + 1, outcome: 'started' as const, worker: begun };
      return this.#view.mark(this.#step, mark, options);
    }
    const { control } = this.#view.tools;
    const target = promotionTarget({
      plan: found.record.plan,
      run: found.run,
      step: this.#step,
      members: control.state.members.all(),
    });
    if (target === undefined) {
      const why = `the plan promotes "${this.#step.dataset}" elsewhere than it was restored`;
      return this.#escalate(why, known, options);
    }
    await this.#awaitLapse(options);
    const current = this.#incarnation();
    if (current === undefined || this.#view.found?.run.state !== 'running') return false;
    const obstacle = this.#obstacle(current);
    if (obstacle !== undefined) return this.#escalate(obstacle, current, options);
    return this.#open(target.agent, current, options);
  }

  /** While the live copy runs under a lease, silence will prove that it is off: until then, or until it renews. */
  async #awaitLapse(options: Cancel): Promise<void> {
    const { clock, control, log, name } = this.#view.tools;
    const { id, name: dataset } = this.#dataset();
    const first = control.state.leases.of(id);
    if (first === undefined) return;
    const endMs = clock.monotonicMs() + 2 * lapseAfterMs(first.forMs);
    log.log('info', planMessages.promotionWaitsForLease, { ...name, dataset });
    while (clock.monotonicMs() < endMs && this.#view.found?.run.state === 'running') {
      const lease = control.state.leases.of(id);
      if (lease === undefined || isNewer(lease, first)) return;
      await clock.sleep(pollMs, options);
    }
  }

  async #open(target: AgentKey, known: Incarnation, options: Cancel): Promise<boolean> {
    const { control, name } = this.#view.tools;
    const { id, name: datasetName } = this.#dataset();
    const result = await control.submit(
      {
        kind: 'promote',
        ...{ dataset: id, name: datasetName, incarnation: known.incarnation + 1, target },
        ...{ plan: name.plan, run: name.run, step: this.#step.id, fence: this.#view.fence },
      },
      options,
    );
    if (result.outcome === 'applied') return true;
    if (this.#view.found?.run.state !== 'running') return false;
    return this.#escalate(`the log refused the promotion: ${result.reason}`, known, options);
  }

  /** started -> done, when the slot is decided; -> failed, when it was given up; -> escalated, when votes miss. */
  async #await(options: Cancel): Promise<void> {
    const { clock } = this.#view.tools;
    const step = this.#step;
    const endMs = clock.monotonicMs() + step.timeoutMs;
    for (;;) {
      const at = this.#view.at(step);
      const known = this.#incarnation();
      if (at?.state !== 'started' || at.worker === undefined || known === undefined) return;
      const { attempt, worker } = at;
      if (this.#promotedTo(known) !== undefined) {
        const detail = `incarnation ${known.incarnation} is live at ${this.#view.memberName(worker)}`;
        await this.#view.mark(step, { attempt, worker, outcome: 'done', detail }, options);
        return;
      }
      if (!this.#isOwn(known.slot)) {
        const detail = `incarnation ${known.incarnation} was given up`;
        await this.#view.mark(step, { attempt, worker, outcome: 'failed', detail }, options);
        return;
      }
      const isOver = known.slot !== undefined && isSplit(known.slot);
      if (isOver || clock.monotonicMs() >= endMs) {
        await this.#escalate(this.#undecided(known), known, options);
        return;
      }
      await clock.sleep(pollMs, options);
    }
  }

  /** Why the next incarnation must not open: two hosts that write one dataset are worse than none. */
  #obstacle(known: Incarnation): string | undefined {
    const { incarnation, state, holder } = known;
    if (state === 'contested')
      return `incarnation ${incarnation} is being voted on for another plan`;
    if (state !== 'live') return undefined;
    const where = this.#view.memberName(holder);
    const lease = this.#view.tools.control.state.leases.of(known.dataset);
    const renews = lease === undefined ? '' : `, and ${where} renews its lease`;
    return (
      `nothing proves that incarnation ${incarnation} at ${where} is off${renews}: let ${where} demote itself, ` +
      'or let operators attest that it is powered off or cut off (isolate), ' +
      'or wait until a slot that was opened for it is dead'
    );
  }

  async #escalate(why: string, known: Incarnation, options: Cancel): Promise<false> {
    const { control } = this.#view.tools;
    const found = this.#view.found;
    if (found === undefined) return false;
    const at = this.#view.at(this.#step);
    const target = promotionTarget({
      ...{ plan: found.record.plan, run: found.run, step: this.#step },
      members: control.state.members.all(),
    });
    const worker = at?.worker ?? target?.agent ?? known.holders.at(-1)?.agent;
    if (worker === undefined) return false;
    const mark = { attempt: Math.max(1, at?.attempt ?? 1), outcome: 'escalated' as const, worker };
    await this.#view.mark(this.#step, { ...mark, detail: why }, options);
    return false;
  }

  #dataset(): PlanDataset {
    const plan = this.#view.found?.record.plan;
    const dataset = plan?.datasets.find(({ name }) => name === this.#step.dataset);
    assert(dataset !== undefined, 'a step names a dataset of its plan');
    return dataset;
  }

  #incarnation(): Incarnation | undefined {
    if (this.#view.found === undefined) return undefined;
    return this.#view.tools.control.state.incarnations.of(this.#dataset().id);
  }

  #isOwn(slot: Slot | undefined): boolean {
    const { plan, run } = this.#view.tools.name;
    return slot?.plan === plan && slot.run === run && slot.step === this.#step.id;
  }

  /** To whom this very step has been decided. */
  #promotedTo({ certificate }: Incarnation): AgentKey | undefined {
    const { plan, run } = this.#view.tools.name;
    const isOwn =
      certificate?.plan === plan && certificate.run === run && certificate.step === this.#step.id;
    return isOwn ? certificate.target : undefined;
  }

  /** Why its slot is open, and what ends it where no vote will. */
  #undecided({ incarnation, slot }: Incarnation): string {
    const votes = slot?.votes ?? [];
    const silent = slot?.voters.filter((one) => !votes.some(({ voter }) => voter === one)) ?? [];
    const names = silent.map((voter) => this.#view.memberName(voter));
    if (names.length > 0) return `votes are missing: ${names.sort().join(', ')}`;
    const grants = votes.filter(({ isGrant }) => isGrant).length;
    const target = this.#view.memberName(slot?.target);
    return (
      `the votes for incarnation ${incarnation} are split, ${grants} of ${votes.length}, and none is left: let ` +
      `operators attest that the copy at ${target} is off (isolate), which ends it, and try again`
    );
  }
}

function isNewer(lease: Lease, { generation, index }: Lease): boolean {
  if (lease.generation !== generation) return lease.generation > generation;
  return lease.index > index;
}
