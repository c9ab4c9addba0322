import { assert } from '../../base/assert.ts';
import { fromHex } from '../../base/bytes.ts';
import { fenceFrom } from '../../core/format/control-field.ts';
import { planHashFrom } from '../../core/format/control-plan.ts';
import type { Fence, PlanHash } from '../../core/format/control-records.ts';
import { integer, label } from '../../core/format/field.ts';
import type { AskedValue, Question } from '../../core/protocol/exchange-kinds.ts';

/** One run of a plan. */
export type RunName = { readonly plan: PlanHash; readonly run: number };

/** What a coordinator wants of an agent. Saying it again changes nothing. */
export type WorkOrder = RunName & {
  readonly step: string;
  readonly attempt: number;
  readonly fence: Fence;
  readonly kind: 'perform' | 'undo' | 'cancel';
  /** How often undoing has been tried, this time included; 0 unless `undo`. */
  readonly undoAttempt: number;
  /** The worker judges by a state of the control log at least this new. */
  readonly sinceIndex: number;
};

/** The order in a request. @throws HoldfastError bad-encoding */
export function workOrderFrom(value: AskedValue<'work'>): WorkOrder {
  const anyIndex = { min: 0, max: Number.MAX_SAFE_INTEGER };
  const kind = value.isCancel ? 'cancel' : value.isUndo ? 'undo' : 'perform';
  const undoBounds = kind === 'undo' ? { min: 1, max: 0xffff } : { min: 0, max: 0 };
  return {
    plan: planHashFrom(value.plan),
    run: integer(value.run, { min: 1, max: 0xffff_ffff }, 'run'),
    step: label(value.step, 'step'),
    attempt: integer(value.attempt, { min: 1, max: 0xffff }, 'attempt'),
    fence: fenceFrom({ generation: value.fenceGeneration, index: value.fenceIndex }),
    kind,
    undoAttempt: integer(value.undoAttempt, undoBounds, 'attempt at undoing'),
    sinceIndex: integer(value.sinceIndex, anyIndex, 'index'),
  };
}

/** The request of an order. */
export function workQuestion(order: WorkOrder): Question<'work'> {
  const { run, step, attempt, fence, kind, undoAttempt } = order;
  const plan = fromHex(order.plan);
  assert(plan !== undefined, 'a plan hash is hexadecimal');
  return {
    case: 'work',
    value: {
      ...{ plan, run, step, attempt, undoAttempt },
      fenceGeneration: BigInt(fence.generation),
      fenceIndex: BigInt(fence.index),
      isUndo: kind === 'undo',
      isCancel: kind === 'cancel',
      sinceIndex: BigInt(order.sinceIndex),
    },
  };
}

/** Names a run in stores of this host. */
export function runKey({ plan, run }: RunName): string {
  return `${plan}-${run}`;
}

/** Names a step of a run in stores of this host. */
export function stepKey(name: RunName & { readonly step: string }): string {
  return `${runKey(name)}-${name.step}`;
}
