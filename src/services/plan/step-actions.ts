import { assertNever } from '../../base/assert.ts';
import type { Fence } from '../../core/format/control-records.ts';
import type { PlanStep, RestorePlan } from '../../core/policy/restore-plan.ts';
import type { HookRunner } from '../../ports/hook.ts';
import type { ProbeRunner } from '../../ports/probe.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { RestoreStep } from './restore-step.ts';
import { detailText, evidenceOf, failure, type StepOutcome } from './step-outcome.ts';
import type { RunName } from './work-order.ts';

/** One attempt at a step, or at undoing it. */
export type StepTask = RunName & {
  readonly document: RestorePlan;
  readonly step: PlanStep;
  readonly attempt: number;
  readonly fence: Fence;
  /** Ends it early; what it has done so far stays. Its time limit is here as well. */
  readonly signal: AbortSignal;
  readonly onPercent: (percent: number) => void;
};

/** What an agent can do for a plan. */
export interface StepActions {
  /** @throws HoldfastError, which is a failed attempt; the signal's reason */
  perform(task: StepTask): Promise<StepOutcome>;
  /** @throws as `perform` */
  undo(task: StepTask): Promise<StepOutcome>;
}

export type HostActionsOptions = {
  readonly restores: RestoreStep;
  readonly probes: ProbeRunner;
  readonly hooks: HookRunner;
  readonly clock: Clock;
};

/** Carries steps out on this host. */
export class HostActions implements StepActions {
  readonly #options: HostActionsOptions;

  constructor(options: HostActionsOptions) {
    this.#options = options;
  }

  async perform(task: StepTask): Promise<StepOutcome> {
    const { step } = task;
    switch (step.kind) {
      case 'restore':
        return this.#options.restores.perform({ ...task, step });
      case 'check':
        return this.#check(step, task);
      case 'hook':
        return this.#hook(step.argv, task);
      case 'promote':
        return failure('a promotion is no work of an agent: it follows from the control log');
      default:
        return assertNever(step);
    }
  }

  async undo(task: StepTask): Promise<StepOutcome> {
    const { step } = task;
    switch (step.kind) {
      case 'restore':
        return this.#options.restores.undo({ ...task, step });
      case 'hook':
        if (step.undo !== undefined) return this.#hook(step.undo, task);
        return nothingToUndo('the plan says no way to undo this hook');
      case 'check':
      case 'promote':
        return nothingToUndo('it has changed nothing');
      default:
        return assertNever(step);
    }
  }

  async #check(step: PlanStep & { kind: 'check' }, task: StepTask): Promise<StepOutcome> {
    const { probes, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const { signal } = task;
    const result = await probes.run(step.probe, { signal, timeoutMs: step.timeoutMs });
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    return {
      state: result.isHealthy ? 'done' : 'failed',
      detail: detailText(result.detail),
      evidence: evidenceOf({ probe: step.probe.kind, durationMs }, result.detail),
    };
  }

  async #hook(argv: readonly string[], task: StepTask): Promise<StepOutcome> {
    const { hooks, clock } = this.#options;
    const { plan, run, step, attempt, fence, signal } = task;
    const startMs = clock.monotonicMs();
    const environment = {
      HOLDFAST_PLAN: plan,
      HOLDFAST_RUN: String(run),
      HOLDFAST_STEP: step.id,
      HOLDFAST_ATTEMPT: String(attempt),
      // For scripts that guard a resource themselves: it grows with every new coordinator.
      HOLDFAST_FENCE: `${fence.generation}.${fence.index}`,
    };
    const { timeoutMs } = step;
    const result = await hooks.run({ argv, environment }, { signal, timeoutMs });
    const durationMs = Math.round(clock.monotonicMs() - startMs);
    return {
      state: result.isDone ? 'done' : 'failed',
      detail: detailText(result.isDone ? result.detail : `${result.detail}: ${result.output}`),
      evidence: evidenceOf({ durationMs }, result.output),
    };
  }
}

function nothingToUndo(why: string): StepOutcome {
  return { state: 'done', detail: `nothing to undo: ${why}`, evidence: new Uint8Array() };
}
