import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Fence } from '../../core/format/control-records.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import { rollbackOrder, runnableSteps } from '../../core/policy/plan-graph.ts';
import type { PlanStep } from '../../core/policy/restore-plan.ts';
import { compareFences } from '../../core/protocol/control/fence-order.ts';
import type { RunRecord } from '../../core/protocol/control/plan-book.ts';
import { isOpen, type RunState } from '../../core/protocol/control/plan-run.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { Bell } from './bell.ts';
import { PromotionDriver } from './promotion-driver.ts';
import { problemIn, type RunTools, RunView } from './run-view.ts';
import { StepDriver } from './step-driver.ts';
import { UndoDriver } from './undo-driver.ts';

/** The state may also change by a snapshot of the log, which nobody announces. */
const lookMs = 1 * secondMs;
const refusedMs = 2 * secondMs;
/** Steps asked for at once: each is a request every few seconds. */
const stepsAtOnceMax = 32;

type Task = { readonly stop: AbortController; readonly done: Promise<void> };

/**
 * Drives one run of a plan while its coordinator is in office.
 *
 * take office (assign) -> look at the run -> begin what may begin, each step in a task of its own -> look again
 *
 * There is no state here that matters: whatever a task learns it puts into the log, and the next look starts
 * from there. So this may stop anywhere, and the driver of the next coordinator does the same.
 */
export class RunDriver {
  readonly #tools: RunTools;
  readonly #bell = new Bell();
  readonly #tasks = new Map<string, Task>();
  #view: RunView | undefined;
  #mustTakeOffice = true;
  #lastState: RunState | undefined;

  constructor(tools: RunTools) {
    this.#tools = tools;
  }

  /** Something was applied. `isDecision`: an operator has decided about this run. */
  notice(isDecision: boolean): void {
    // A fence of its own for what follows: other runs may have been given higher ones meanwhile.
    if (isDecision) this.#mustTakeOffice = true;
    this.#bell.ring();
  }

  /** Resolves when the run is over, or another coordinates it. */
  async run(options: Cancel): Promise<void> {
    const { clock, log, name } = this.#tools;
    try {
      while (options.signal?.aborted !== true) {
        try {
          if (!(await this.#look(options))) return;
        } catch (error) {
          const problem = problemIn(error, options);
          if (problem === undefined) return;
          log.log('info', planMessages.planWaitsForLog, { ...name, code: problem.code });
        }
        await this.#bell.wait(clock, lookMs, options);
      }
    } finally {
      await this.#stopTasks(() => true);
    }
  }

  /** @returns false when there is nothing left to do here. */
  async #look(options: Cancel): Promise<boolean> {
    const { control, name } = this.#tools;
    const found = control.state.plans.runOf(name);
    if (found === undefined) return false;
    this.#noteState(found);
    if (!isOpen(found.run)) {
      await this.#stopTasks(() => true);
      await this.#cancelWork(found, options);
      return false;
    }
    if (!this.#holdsOffice(found)) {
      if (!this.#mustTakeOffice && found.run.assignment?.coordinator !== control.self) return false;
      await this.#stopTasks(() => true);
      return this.#takeOffice(options);
    }
    await this.#steer(found);
    return true;
  }

  #holdsOffice({ run }: RunRecord): boolean {
    if (this.#mustTakeOffice || this.#view === undefined || run.assignment === undefined)
      return false;
    return compareFences(run.assignment.fence, this.#view.fence) === 0;
  }

  /** Whatever became of the command: if the log has given this host the run, that is its fence. */
  async #takeOffice(options: Cancel): Promise<boolean> {
    const { control, clock, name } = this.#tools;
    const body = { kind: 'assign', ...name, coordinator: control.self } as const;
    await control.submit(body, options);
    const assignment = control.state.plans.runOf(name)?.run.assignment;
    if (assignment?.coordinator !== control.self) {
      // The coordinator will let this be tried again: not so often that it fills the log.
      await clock.sleep(refusedMs, options);
      return false;
    }
    this.#mustTakeOffice = false;
    this.#enter(assignment.fence);
    this.#bell.ring();
    return true;
  }

  #enter(fence: Fence): void {
    this.#view = new RunView(this.#tools, fence);
  }

  async #steer({ record, run }: RunRecord): Promise<void> {
    if (run.state === 'rolling-back') {
      const next = rollbackOrder(record.plan, run.steps)[0];
      const key = next === undefined ? '' : `undo ${next.id}`;
      await this.#stopTasks((known) => known !== key);
      if (next !== undefined) this.#begin(key, (view) => new UndoDriver(view, next));
      return;
    }
    await this.#stopTasks((key) => key.startsWith('undo '));
    const started = record.plan.steps.filter(({ id }) => run.steps.get(id)?.state === 'started');
    const ready = run.state === 'running' ? runnableSteps(record.plan, run.steps) : [];
    for (const step of [...started, ...ready]) this.#begin(step.id, (view) => driverOf(view, step));
  }

  #begin(key: string, make: (view: RunView) => { run(options: Cancel): Promise<void> }): void {
    const view = this.#view;
    if (view === undefined || this.#tasks.has(key) || this.#tasks.size >= stepsAtOnceMax) return;
    const stop = new AbortController();
    const done = this.#perform(make(view), { signal: stop.signal }).finally(() => {
      this.#tasks.delete(key);
      this.#bell.ring();
    });
    this.#tasks.set(key, { stop, done });
  }

  async #perform(driver: { run(options: Cancel): Promise<void> }, options: Cancel): Promise<void> {
    const { clock, log, name } = this.#tools;
    try {
      await driver.run(options);
    } catch (error) {
      const problem = problemIn(error, options);
      if (problem === undefined) return;
      log.log('info', planMessages.stepWaitsForLog, { ...name, code: problem.code });
      await clock.sleep(lookMs, options).catch(() => {});
    }
  }

  async #stopTasks(matches: (key: string) => boolean): Promise<void> {
    const stopped = [...this.#tasks].filter(([key]) => matches(key)).map(([, task]) => task);
    for (const { stop } of stopped) {
      stop.abort(new HoldfastError('interrupted', 'the plan has gone another way'));
    }
    await Promise.all(stopped.map(({ done }) => done));
  }

  /** The run is over while steps still run: their workers see it in the log too, but maybe later. */
  async #cancelWork({ record, run }: RunRecord, options: Cancel): Promise<void> {
    const view = this.#view;
    if (view === undefined || run.assignment === undefined) return;
    for (const step of record.plan.steps) {
      const { state, worker, attempt = 0 } = run.steps.get(step.id) ?? {};
      if (state !== 'started' || worker === undefined || step.kind === 'promote') continue;
      try {
        const order = view.order(step, { attempt, kind: 'cancel' });
        await this.#tools.work.ask(worker, order, options);
      } catch (error) {
        if (problemIn(error, options) === undefined) return;
      }
    }
  }

  #noteState({ record, run }: RunRecord): void {
    if (this.#lastState === run.state) return;
    this.#lastState = run.state;
    const context = { ...this.#tools.name, name: record.plan.name, state: run.state };
    const stuck = [...run.steps].filter(([, { state }]) => ['failed', 'escalated'].includes(state));
    const steps = stuck.map(([id, { detail }]) => `${id}: ${detail}`).join('; ');
    if (run.state === 'escalated') {
      this.#tools.log.log('error', planMessages.restorePlanNeedsOperator, { ...context, steps });
    } else this.#tools.log.log('info', planMessages.restorePlan, context);
  }
}

function driverOf(view: RunView, step: PlanStep): { run(options: Cancel): Promise<void> } {
  return step.kind === 'promote' ? new PromotionDriver(view, step) : new StepDriver(view, step);
}
