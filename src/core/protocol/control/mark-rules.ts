import { assertNever } from '../../../base/assert.ts';
import type { Mark } from '../../format/control-records.ts';
import { ancestorsOf, isReady, isTouched } from '../../policy/plan-graph.ts';
import type { RestorePlan } from '../../policy/restore-plan.ts';
import type { PlanRun, StepRecord } from './plan-run.ts';
import { refusal } from './refusal.ts';

/**
 * Whether a step may go from where it stands to what a mark says. Fence and signer have been checked.
 * @throws HoldfastError not-permitted
 */
export function checkTransition(plan: RestorePlan, run: PlanRun, mark: Mark): void {
  const step = plan.steps.find(({ id }) => id === mark.step);
  const at = run.steps.get(mark.step);
  if (step === undefined || at === undefined) throw refusal(`there is no step "${mark.step}"`);
  if (at.state === mark.outcome && at.attempt === mark.attempt) {
    throw refusal(`step "${step.id}" is already ${at.state}`);
  }
  switch (mark.outcome) {
    case 'started':
      checkStart(plan, run, { mark, at });
      break;
    case 'done':
    case 'failed':
      requireState(run, ['running', 'escalated']);
      checkEnd(mark, at);
      break;
    case 'undone':
      requireState(run, ['rolling-back']);
      checkUndo(plan, run, { mark, at });
      break;
    case 'escalated':
      requireState(run, ['running', 'rolling-back']);
      if (at.state === 'done' && run.state === 'running') {
        throw refusal(`step "${step.id}" is done`);
      }
      break;
    default:
      assertNever(mark.outcome);
  }
}

type Marking = { readonly mark: Mark; readonly at: StepRecord };

/** waiting | failed -> started, when everything before it is done and attempts are left. */
function checkStart(plan: RestorePlan, run: PlanRun, { mark, at }: Marking): void {
  requireState(run, ['running']);
  if (at.state !== 'waiting' && at.state !== 'failed') {
    throw refusal(`step "${mark.step}" is ${at.state}: it cannot be started`);
  }
  const step = plan.steps.find(({ id }) => id === mark.step);
  if (step === undefined || !isReady(step, run.steps)) {
    throw refusal(`step "${mark.step}" waits for others that are not done`);
  }
  if (mark.attempt !== at.attempt + 1) throw wrongAttempt(mark, at.attempt + 1);
  if (mark.attempt > at.attemptsMax) {
    throw refusal(`step "${mark.step}" may be tried ${at.attemptsMax} times`);
  }
}

/** started -> done | failed, of the same attempt by the same worker. */
function checkEnd(mark: Mark, at: StepRecord): void {
  if (at.state !== 'started') {
    throw refusal(`step "${mark.step}" is ${at.state}: it cannot become ${mark.outcome}`);
  }
  if (mark.attempt !== at.attempt) throw wrongAttempt(mark, at.attempt);
  if (mark.worker !== at.worker) throw refusal(`step "${mark.step}" was begun by another worker`);
}

/** started | done | failed -> undone, when everything that came after it is undone. */
function checkUndo(plan: RestorePlan, run: PlanRun, { mark, at }: Marking): void {
  if (!isTouched(at)) throw refusal(`step "${mark.step}" has nothing to undo`);
  if (mark.attempt !== at.attempt) throw wrongAttempt(mark, at.attempt);
  const later = plan.steps.find(
    ({ id }) => isTouched(run.steps.get(id)) && ancestorsOf(plan.steps, id).has(mark.step),
  );
  if (later !== undefined) throw refusal(`step "${later.id}" must be undone first`);
}

function requireState(run: PlanRun, states: readonly PlanRun['state'][]): void {
  if (!states.includes(run.state)) throw refusal(`the run is ${run.state}`);
}

function wrongAttempt(mark: Mark, expected: number): Error {
  return refusal(`step "${mark.step}" is at attempt ${expected}, not ${mark.attempt}`);
}
