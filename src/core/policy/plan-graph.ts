import type { PlanStep, RestorePlan } from './restore-plan.ts';

/** Where a step stands. */
export const stepStates = ['waiting', 'started', 'done', 'failed', 'undone', 'escalated'] as const;

export type StepProgress = {
  readonly state: (typeof stepStates)[number];
  /** The newest one; 0 before the first. */
  readonly attempt: number;
  /** Grows when an operator lets a plan go on. */
  readonly attemptsMax: number;
};

/** Progress by step id; a step that is missing waits. */
export type Progress = ReadonlyMap<string, StepProgress>;

type Linked = Pick<PlanStep, 'id' | 'after'>;

/** Steps on a circle, each waiting for the next, the first repeated at the end; undefined when there is none. */
export function cycleOf(steps: readonly Linked[]): readonly string[] | undefined {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (id: string): readonly string[] | undefined => {
    if (finished.has(id)) return undefined;
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    path.push(id);
    for (const before of byId.get(id)?.after ?? []) {
      const cycle = visit(before);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    finished.add(id);
    return undefined;
  };
  for (const { id } of steps) {
    const cycle = visit(id);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Every step after those that it waits for; among equals, as the plan lists them. Needs a plan without cycles. */
export function topologicalOrder<Step extends Linked>(steps: readonly Step[]): readonly Step[] {
  const placed = new Set<string>();
  const ordered: Step[] = [];
  for (let round = 0; round < steps.length && ordered.length < steps.length; round++) {
    const next = steps.find(
      ({ id, after }) => !placed.has(id) && after.every((before) => placed.has(before)),
    );
    if (next === undefined) break;
    placed.add(next.id);
    ordered.push(next);
  }
  return ordered;
}

/** Ids of all steps that come before this one, directly or not. */
export function ancestorsOf(steps: readonly Linked[], id: string): ReadonlySet<string> {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const found = new Set<string>();
  const queue = [...(byId.get(id)?.after ?? [])];
  for (let before = queue.pop(); before !== undefined; before = queue.pop()) {
    if (found.has(before)) continue;
    found.add(before);
    queue.push(...(byId.get(before)?.after ?? []));
  }
  return found;
}

/** True when everything that the step waits for is done. */
export function isReady(step: Linked, progress: Progress): boolean {
  return step.after.every((before) => progress.get(before)?.state === 'done');
}

/** Steps that may be started now, as the plan lists them: what they wait for is done, attempts are left. */
export function runnableSteps(plan: RestorePlan, progress: Progress): readonly PlanStep[] {
  return plan.steps.filter((step) => {
    const at = progress.get(step.id);
    if (at === undefined || at.state === 'waiting') return isReady(step, progress);
    return at.state === 'failed' && at.attempt < at.attemptsMax && isReady(step, progress);
  });
}

/** True when a step has left something that rolling back must undo. */
export function isTouched(at: StepProgress | undefined): boolean {
  return at !== undefined && at.attempt > 0 && at.state !== 'undone';
}

/** Steps still to undo, last first. The first of them may be undone now. */
export function rollbackOrder(plan: RestorePlan, progress: Progress): readonly PlanStep[] {
  return topologicalOrder(plan.steps)
    .filter(({ id }) => isTouched(progress.get(id)))
    .toReversed();
}
