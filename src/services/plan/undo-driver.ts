import { secondMs } from '../../base/units.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { PlanStep } from '../../core/policy/restore-plan.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { backOffMs } from './back-off.ts';
import { problemIn, type RunView } from './run-view.ts';

const pollMs = 1 * secondMs;

/**
 * Undoes one step of a plan that is rolling back. The worker numbers its attempts, so that a new coordinator
 * neither repeats one nor takes an old failure for a new one.
 */
export class UndoDriver {
  readonly #view: RunView;
  readonly #step: PlanStep;

  constructor(view: RunView, step: PlanStep) {
    this.#view = view;
    this.#step = step;
  }

  /** Resolves when it is undone or needs an operator. @throws HoldfastError no-quorum; the signal's reason */
  async run(options: Cancel): Promise<void> {
    const at = this.#view.at(this.#step);
    if (at?.worker === undefined) return;
    const { worker, attempt } = at;
    if (this.#step.kind === 'check' || this.#step.kind === 'promote') {
      if (at.state === 'started') await this.#cancel(worker, attempt, options);
      const detail = 'nothing to undo: it has changed nothing';
      await this.#view.mark(this.#step, { worker, attempt, outcome: 'undone', detail }, options);
      return;
    }
    await this.#undo(worker, attempt, options);
  }

  async #cancel(worker: AgentKey, attempt: number, options: Cancel): Promise<void> {
    try {
      const order = this.#view.order(this.#step, { attempt, kind: 'cancel' });
      await this.#view.tools.work.ask(worker, order, options);
    } catch (error) {
      problemIn(error, options);
    }
  }

  async #undo(worker: AgentKey, attempt: number, options: Cancel): Promise<void> {
    const { clock, work } = this.#view.tools;
    const step = this.#step;
    let undoAttempt = 1;
    let tries = 0;
    let heardMs = clock.monotonicMs();
    let problem = '';
    while (this.#view.found?.run.state === 'rolling-back') {
      try {
        const order = this.#view.order(step, { attempt, kind: 'undo', undoAttempt });
        const answer = await work.ask(worker, order, options);
        heardMs = clock.monotonicMs();
        const { state, detail, evidence } = answer;
        if (state === 'done') {
          const mark = { worker, attempt, outcome: 'undone' as const, detail, evidence };
          await this.#view.mark(step, mark, options);
          return;
        }
        if (state === 'failed') {
          problem = detail;
          // Of an earlier coordinator's attempt: known, and not counted.
          if (answer.attempt === undoAttempt) tries++;
          if (tries >= step.attempts) break;
          if (answer.attempt === undoAttempt) await clock.sleep(backOffMs(tries), options);
          undoAttempt = Math.max(undoAttempt, answer.attempt) + 1;
          continue;
        }
      } catch (error) {
        const found = problemIn(error, options);
        if (found === undefined) return;
        problem = found.message;
      }
      if (clock.monotonicMs() - heardMs > step.timeoutMs) break;
      await clock.sleep(pollMs, options);
    }
    if (this.#view.found?.run.state !== 'rolling-back') return;
    const detail = `it could not be undone at ${this.#view.memberName(worker)}: ${problem}`;
    await this.#view.mark(step, { worker, attempt, outcome: 'escalated', detail }, options);
  }
}
