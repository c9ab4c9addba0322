import type { AgentKey } from '../../core/ids.ts';
import { ancestorsOf } from '../../core/policy/plan-graph.ts';
import type { PlanStep, RestorePlan } from '../../core/policy/restore-plan.ts';
import type { ControlMember } from '../../core/protocol/control/member-book.ts';
import { isWorker, type PlanRun } from '../../core/protocol/control/plan-run.ts';

type Choice = {
  readonly plan: RestorePlan;
  readonly run: PlanRun;
  readonly step: PlanStep;
  readonly members: readonly ControlMember[];
};

/**
 * Agents that may do a step, the best first: whoever did what this step builds on, the nearest step first,
 * since a check must look where the restore wrote; then by key, so that every coordinator chooses alike.
 */
export function workersFor({ plan, run, step, members }: Choice): readonly ControlMember[] {
  const able = members.filter(
    (member) => !member.isAbandoned && canWork(member) && isWorker(plan, step, member),
  );
  const before = doneBefore({ plan, run, step, members });
  const preferred = before.flatMap((agent) => able.filter((member) => member.agent === agent));
  return [...new Set([...preferred, ...able])];
}

/** Whom a step that nobody does is about: the best worker, or a member that may not or cannot work any more. */
export function meant(choice: Choice): AgentKey | undefined {
  const { plan, step, members } = choice;
  const [best = members.find((member) => isWorker(plan, step, member))] = workersFor(choice);
  return best?.agent;
}

/** The worker whose host this step has to run on, if it can be had at all; undefined when any may do it. */
export function boundWorker(choice: Choice): AgentKey | undefined {
  const [first] = workersFor(choice);
  return first !== undefined && doneBefore(choice).includes(first.agent) ? first.agent : undefined;
}

/** Where a promotion goes: to the agent that has restored the dataset. Undefined when the plan names others. */
export function promotionTarget(
  choice: Choice & { readonly step: PlanStep & { readonly kind: 'promote' } },
): ControlMember | undefined {
  const { plan, run, step, members } = choice;
  const before = ancestorsOf(plan.steps, step.id);
  const restored = plan.steps
    .filter((one) => one.kind === 'restore' && one.dataset === step.dataset && before.has(one.id))
    .map(({ id }) => run.steps.get(id)?.worker);
  return members.find((member) => restored.includes(member.agent) && isWorker(plan, step, member));
}

/** Workers of steps before this one, the nearest first. */
function doneBefore({ plan, run, step }: Choice): AgentKey[] {
  const near = new Set(step.after);
  const far = [...ancestorsOf(plan.steps, step.id)].filter((id) => !near.has(id));
  return [...near, ...far].flatMap((id) => run.steps.get(id)?.worker ?? []);
}

function canWork({ roles }: ControlMember): boolean {
  return roles.includes('storage') || roles.includes('source');
}
