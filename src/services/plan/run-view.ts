import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Fence, Mark } from '../../core/format/control-records.ts';
import type { AgentKey } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { PlanStep } from '../../core/policy/restore-plan.ts';
import { compareFences } from '../../core/protocol/control/fence-order.ts';
import type { RunRecord } from '../../core/protocol/control/plan-book.ts';
import type { StepRecord } from '../../core/protocol/control/plan-run.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { detailText } from './step-outcome.ts';
import type { WorkClient } from './work-client.ts';
import type { RunName, WorkOrder } from './work-order.ts';

/** What the parts that drive one run share. */
export type RunTools = {
  readonly name: RunName;
  readonly control: ControlAccess;
  readonly work: WorkClient;
  readonly clock: Clock;
  readonly log: Log;
};

/** After a mark that the log did not take: the same mark must not fill it. */
const voidPauseMs = 2 * secondMs;

/** One run as the coordinator of one fence sees and changes it. */
export class RunView {
  readonly tools: RunTools;
  readonly fence: Fence;

  constructor(tools: RunTools, fence: Fence) {
    this.tools = tools;
    this.fence = fence;
  }

  /** Undefined once this fence is not the current one, or the run is gone. */
  get found(): RunRecord | undefined {
    const { control, name } = this.tools;
    const found = control.state.plans.runOf(name);
    const current = found?.run.assignment?.fence;
    const isCurrent = current !== undefined && compareFences(current, this.fence) === 0;
    return isCurrent ? found : undefined;
  }

  at(step: PlanStep): StepRecord | undefined {
    return this.found?.run.steps.get(step.id);
  }

  order(
    step: PlanStep,
    what: { readonly attempt: number; readonly kind: WorkOrder['kind']; undoAttempt?: number },
  ): WorkOrder {
    const { name, control } = this.tools;
    const sinceIndex = control.state.lastIndex;
    return { ...name, step: step.id, fence: this.fence, undoAttempt: 0, sinceIndex, ...what };
  }

  /** @returns false when the log did not take it, after a pause. @throws HoldfastError no-quorum */
  async mark(
    step: PlanStep,
    mark: Pick<Mark, 'attempt' | 'outcome'> & {
      readonly worker: AgentKey;
      readonly detail?: string;
      readonly evidence?: Uint8Array;
    },
    options: Cancel,
  ): Promise<boolean> {
    const { name, control, clock, log } = this.tools;
    const { detail = '', evidence = new Uint8Array(), ...rest } = mark;
    const result = await control.submit(
      {
        kind: 'mark',
        ...{ plan: name.plan, run: name.run, step: step.id, fence: this.fence, ...rest },
        ...{ detail: detailText(detail), evidence },
      },
      options,
    );
    if (result.outcome === 'applied') return true;
    const { outcome, attempt } = mark;
    const context = { ...name, step: step.id, outcome, attempt, reason: result.reason };
    log.log('info', planMessages.markVoid, context);
    await clock.sleep(voidPauseMs, options);
    return false;
  }

  memberName(agent: AgentKey | undefined): string {
    if (agent === undefined) return 'nobody';
    return this.tools.control.state.members.of(agent)?.name ?? agent.slice(0, 8);
  }
}

/** An operating error, or undefined for the end of the signal. Anything else is thrown on. */
export function problemIn(error: unknown, { signal }: Cancel): HoldfastError | undefined {
  if (signal?.aborted === true) return undefined;
  if (error instanceof HoldfastError) return error;
  throw error;
}
