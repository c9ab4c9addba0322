import { HoldfastError } from '../../core/errors.ts';
import { type AgentKey, shortId } from '../../core/ids.ts';
import type { PlanStep, RestorePlan } from '../../core/policy/restore-plan.ts';
import { compareFences } from '../../core/protocol/control/fence-order.ts';
import type { PlanBook } from '../../core/protocol/control/plan-book.ts';
import { isOpen, stepOf } from '../../core/protocol/control/plan-run.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { runKey, type WorkOrder } from './work-order.ts';

/** An order that the log, as this host knows it, bears out. */
export type Admitted = { readonly document: RestorePlan; readonly step: PlanStep };

/**
 * What an order asks for, if the log says the same: this coordinator with this fence, and this very attempt
 * given to this agent.
 * @throws HoldfastError not-permitted
 */
export function admit(
  control: Pick<ControlAccess, 'state' | 'self'>,
  order: WorkOrder,
  coordinator: AgentKey,
): Admitted {
  const found = control.state.plans.runOf(order);
  if (found === undefined) throw refused('the log knows no such run');
  const { record, run } = found;
  const { assignment } = run;
  if (assignment === undefined) throw refused('the run has no coordinator');
  if (assignment.coordinator !== coordinator) {
    throw refused(`${shortId(assignment.coordinator)} coordinates this run`);
  }
  if (compareFences(assignment.fence, order.fence) !== 0) throw refused('its fence is outdated');
  const step = stepOf(record.plan, order.step);
  const at = run.steps.get(order.step);
  if (step === undefined || at === undefined) throw refused(`there is no step "${order.step}"`);
  if (at.worker !== control.self || at.attempt !== order.attempt) {
    throw refused(`attempt ${order.attempt} at "${order.step}" is not for this agent`);
  }
  if (order.kind === 'perform' && at.state !== 'started') {
    throw refused(`step "${order.step}" is ${at.state}`);
  }
  if (order.kind === 'undo' && run.state !== 'rolling-back') {
    throw refused(`the run is ${run.state}: nothing is undone`);
  }
  return { document: record.plan, step };
}

export function refused(why: string): HoldfastError {
  return new HoldfastError('not-permitted', `refused to work for a plan: ${why}`);
}

/** Whether a name of `stepKey` is of a run that is over, and never opens again. One not known here may still come. */
export function isOfEndedRun(plans: PlanBook, name: string): boolean {
  const ended = plans.all().flatMap(({ hash, runs }) => {
    const closed = runs.filter((run) => !isOpen(run));
    return closed.map(({ run }) => runKey({ plan: hash, run }));
  });
  const forgotten = plans.finished().map(({ hash }) => hash);
  return [...ended, ...forgotten].some((start) => name.startsWith(`${start}-`));
}
