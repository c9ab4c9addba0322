import { minuteMs, secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { PlanStep } from '../../core/policy/restore-plan.ts';
import type { ControlMember } from '../../core/protocol/control/member-book.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { backOffMs } from './back-off.ts';
import { problemIn, type RunView } from './run-view.ts';
import type { WorkAnswer } from './worker.ts';
import { boundWorker, meant, workersFor } from './worker-choice.ts';

const pollMinMs = secondMs / 2;
const pollMaxMs = 5 * secondMs;
/** The worker ends a step that takes too long by itself; then it must still be heard. */
const graceMs = 15 * secondMs;
/** How long a restore waits for its worker's keys before it is tried all the same. */
const grantWaitMs = 30 * secondMs;
/** A restore that is begun elsewhere costs time alone, so its worker is not waited for long. */
const restoreSilenceMs = 1 * minuteMs;

type Attempt = { readonly worker: AgentKey; readonly attempt: number };

/**
 * Brings one step of a running plan one attempt further: chooses a worker, marks the attempt as started, asks
 * until it has ended, marks how. All that it knows is in the log, so another coordinator goes on from there.
 */
export class StepDriver {
  readonly #view: RunView;
  readonly #step: PlanStep;

  constructor(view: RunView, step: PlanStep) {
    this.#view = view;
    this.#step = step;
  }

  /** Resolves when there is nothing more to do for now. @throws HoldfastError no-quorum; the signal's reason */
  async run(options: Cancel): Promise<void> {
    const at = this.#view.at(this.#step);
    if (at === undefined) return;
    if (at.state !== 'started' && !(await this.#start(options))) return;
    await this.#follow(options);
  }

  /** waiting | failed -> started. */
  async #start(options: Cancel): Promise<boolean> {
    const { clock } = this.#view.tools;
    const before = this.#view.at(this.#step);
    if (before?.state === 'failed') await clock.sleep(backOffMs(before.attempt), options);
    const worker = await this.#worker(options);
    const at = this.#view.at(this.#step);
    if (worker === undefined || at === undefined || this.#isStopped()) return false;
    const mark = { attempt: at.attempt + 1, outcome: 'started' as const, worker };
    return this.#view.mark(this.#step, mark, options);
  }

  /**
   * The best worker that can be reached. One that holds what this step is about is waited for, and without any
   * the plan needs an operator; both as long as the step may take.
   */
  async #worker(options: Cancel): Promise<AgentKey | undefined> {
    const { clock, control, work } = this.#view.tools;
    const startMs = clock.monotonicMs();
    const endMs = startMs + this.#step.timeoutMs;
    for (;;) {
      const found = this.#view.found;
      if (found === undefined || this.#isStopped()) return undefined;
      const choice = { plan: found.record.plan, run: found.run, step: this.#step };
      const members = control.state.members.all();
      // Operators grant keys when the plan is in the log; without them a restore can only fail.
      const mayWait = clock.monotonicMs() - startMs < grantWaitMs;
      const granted = (some: readonly ControlMember[]): readonly ControlMember[] =>
        mayWait ? some.filter(({ agent }) => found.run.grants.has(agent)) : some;
      const workers = workersFor({ ...choice, members });
      const isLate = clock.monotonicMs() >= endMs;
      const bound = isLate ? undefined : boundWorker({ ...choice, members });
      const fitting = workers.filter(({ agent }) => bound === undefined || agent === bound);
      const able = this.#step.kind === 'restore' ? granted(fitting) : fitting;
      const reached = able.find(({ agent }) => work.isReachable(agent));
      if (reached !== undefined) return reached.agent;
      if (isLate) {
        await this.#escalate(meant({ ...choice, members }), options);
        return undefined;
      }
      await clock.sleep(secondMs, options);
    }
  }

  async #escalate(worker: AgentKey | undefined, options: Cancel): Promise<void> {
    const { control, clock, log, name } = this.#view.tools;
    const on = this.#step.on ?? this.#view.found?.record.plan.target.site ?? '';
    const detail = `no agent that could do it can be reached: it is for "${on}"`;
    const attempt = Math.max(1, this.#view.at(this.#step)?.attempt ?? 1);
    if (worker !== undefined) {
      await this.#view.mark(this.#step, { attempt, outcome: 'escalated', worker, detail }, options);
      return;
    }
    // The log wants a worker's name, and there is none: nobody whom the plan could mean is a member.
    const context = { ...name, step: this.#step.id, on, leader: control.self };
    log.log('error', planMessages.stepHasNoWorker, context);
    await clock.sleep(minuteMs, options);
  }

  /** started -> done | failed. */
  async #follow(options: Cancel): Promise<void> {
    const { clock } = this.#view.tools;
    const step = this.#step;
    const { worker, attempt } = this.#view.at(step) ?? {};
    if (worker === undefined || attempt === undefined) return;
    const startMs = clock.monotonicMs();
    const silenceMs =
      step.kind === 'restore' ? Math.min(restoreSilenceMs, step.timeoutMs) : step.timeoutMs;
    let heardMs = startMs;
    let problem = '';
    for (let pollMs = pollMinMs; ; pollMs = Math.min(pollMaxMs, 2 * pollMs)) {
      if (!this.#isFollowed(worker, attempt)) return;
      const answer = await this.#ask({ worker, attempt }, options);
      if (answer instanceof HoldfastError) problem = answer.message;
      else {
        heardMs = clock.monotonicMs();
        if (answer.state !== 'running') return this.#mark(answer, { worker, attempt }, options);
      }
      const nowMs = clock.monotonicMs();
      if (nowMs - startMs > step.timeoutMs + graceMs) {
        return await this.#giveUp(
          'it took longer than the plan allows',
          { worker, attempt },
          options,
        );
      }
      if (nowMs - heardMs > silenceMs) {
        const why = `nothing was heard of ${this.#view.memberName(worker)}: ${problem}`;
        return this.#giveUp(why, { worker, attempt }, options);
      }
      await clock.sleep(pollMs, options);
    }
  }

  /** @returns why there is no answer; the end of the signal is thrown. */
  async #ask(at: Attempt, options: Cancel): Promise<WorkAnswer | HoldfastError> {
    const order = this.#view.order(this.#step, { attempt: at.attempt, kind: 'perform' });
    try {
      return await this.#view.tools.work.ask(at.worker, order, options);
    } catch (error) {
      const problem = problemIn(error, options);
      if (problem === undefined) throw error;
      return problem;
    }
  }

  async #mark(
    { state, detail, evidence }: WorkAnswer,
    at: Attempt,
    options: Cancel,
  ): Promise<void> {
    const outcome = state === 'done' ? 'done' : 'failed';
    await this.#view.mark(this.#step, { ...at, outcome, detail, evidence }, options);
  }

  /** The worker is told to stop, if it can be; what it does without being heard, it does within its own limit. */
  async #giveUp(why: string, at: Attempt, options: Cancel): Promise<void> {
    const order = this.#view.order(this.#step, { attempt: at.attempt, kind: 'cancel' });
    try {
      await this.#view.tools.work.ask(at.worker, order, options);
    } catch (error) {
      if (problemIn(error, options) === undefined) return;
    }
    await this.#view.mark(this.#step, { ...at, outcome: 'failed', detail: why }, options);
  }

  #isFollowed(worker: AgentKey, attempt: number): boolean {
    const at = this.#view.at(this.#step);
    const state = this.#view.found?.run.state;
    const isGoing = state === 'running' || state === 'escalated';
    return isGoing && at?.state === 'started' && at.worker === worker && at.attempt === attempt;
  }

  #isStopped(): boolean {
    return this.#view.found?.run.state !== 'running';
  }
}
