import { wrongField } from './plan-field.ts';
import { ancestorsOf, cycleOf } from './plan-graph.ts';
import type { PlanStep, RestorePlan } from './restore-plan.ts';

/** Checks what no field shows alone: names, order, and that nothing unproven is promoted. @throws HoldfastError bad-encoding */
export function checkPlan(plan: RestorePlan): void {
  checkDatasets(plan);
  checkSteps(plan);
  const cycle = cycleOf(plan.steps);
  if (cycle !== undefined) {
    const circle = cycle.map((id) => `"${id}"`).join(' after ');
    throw wrongField('steps', `they wait for each other: ${circle}`);
  }
  checkPromotions(plan);
}

function checkDatasets({ datasets }: RestorePlan): void {
  const names = new Set<string>();
  const ids = new Set<string>();
  for (const [i, { name, id }] of datasets.entries()) {
    if (names.has(name)) throw wrongField(`datasets[${i}].name`, `"${name}" is there twice`);
    // One dataset has one live holder: two restores of it could not both be promoted.
    if (ids.has(id)) throw wrongField(`datasets[${i}].id`, 'this dataset is there twice');
    names.add(name);
    ids.add(id);
  }
}

function checkSteps(plan: RestorePlan): void {
  const ids = new Set(plan.steps.map(({ id }) => id));
  const seen = new Set<string>();
  for (const [i, step] of plan.steps.entries()) {
    const path = `steps[${i}]`;
    if (seen.has(step.id)) throw wrongField(`${path}.id`, `"${step.id}" is there twice`);
    seen.add(step.id);
    for (const [j, before] of step.after.entries()) {
      if (!ids.has(before)) {
        throw wrongField(`${path}.after[${j}]`, `there is no step "${before}"`);
      }
      if (step.after.indexOf(before) < j) {
        throw wrongField(`${path}.after[${j}]`, `"${before}" is there twice`);
      }
    }
    if ('dataset' in step && !plan.datasets.some(({ name }) => name === step.dataset)) {
      throw wrongField(`${path}.dataset`, `there is no dataset "${step.dataset}"`);
    }
  }
}

function checkPromotions({ steps }: RestorePlan): void {
  const promoted = new Set<string>();
  for (const [i, step] of steps.entries()) {
    if (step.kind !== 'promote') continue;
    const path = `steps[${i}].dataset`;
    if (promoted.has(step.dataset)) throw wrongField(path, 'it is promoted twice');
    promoted.add(step.dataset);
    const before = ancestorsOf(steps, step.id);
    const isRestored = (one: PlanStep): boolean =>
      one.kind === 'restore' && one.dataset === step.dataset && before.has(one.id);
    if (!steps.some(isRestored)) {
      throw wrongField(path, `it is promoted without a restore of "${step.dataset}" before`);
    }
  }
}
