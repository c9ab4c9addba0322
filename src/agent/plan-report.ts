import { HoldfastError } from '../core/errors.ts';
import { topologicalOrder } from '../core/policy/plan-graph.ts';
import type { PlanStep } from '../core/policy/restore-plan.ts';
import type { PlanRecord, PlanRun } from '../core/protocol/control/plan-run.ts';
import { isHeld } from '../services/plan/standby.ts';
import type { Agent } from './agent.ts';
import { operatorName } from './operator-name.ts';
import type { PlanReport, PlanStepReport } from './plan-types.ts';
import { stepInWords } from './plan-words.ts';

const prefixMin = 4;

/** A plan with its newest run. */
export function planReport(agent: Agent, record: PlanRecord): PlanReport {
  const { hash, plan } = record;
  const run = newestRun(record);
  const { coordinator, fence } = run.assignment ?? {};
  return {
    hash,
    name: plan.name,
    site: plan.target.site,
    run: run.run,
    state: run.state,
    isHeld: isHeld(agent.control.log.state, { record, run }),
    authors: run.authors.map((author) => operatorName(agent, author)),
    timeMs: run.timeMs,
    ...(coordinator === undefined ? {} : { coordinator: agent.nameOf(coordinator) }),
    ...(fence === undefined ? {} : { fence: { generation: fence.generation, index: fence.index } }),
    granted: [...run.grants.keys()].map((key) => agent.nameOf(key)),
    steps: topologicalOrder(plan.steps).map((step) => stepReport(agent, { record, run }, step)),
  };
}

function stepReport(
  agent: Agent,
  { record, run }: { readonly record: PlanRecord; readonly run: PlanRun },
  step: PlanStep,
): PlanStepReport {
  const at = run.steps.get(step.id);
  return {
    id: step.id,
    kind: step.kind,
    ...('dataset' in step ? { dataset: step.dataset } : {}),
    words: stepInWords(step),
    after: [...step.after],
    on: step.on ?? record.plan.target.site,
    state: at?.state ?? 'waiting',
    attempt: at?.attempt ?? 0,
    attemptsMax: at?.attemptsMax ?? step.attempts,
    ...(at?.worker === undefined ? {} : { worker: agent.nameOf(at.worker) }),
    ...(at === undefined || at.index === 0 ? {} : { timeMs: at.timeMs }),
    detail: at?.detail ?? '',
  };
}

export function newestRun({ runs }: PlanRecord): PlanRun {
  const last = runs.at(-1);
  if (last === undefined) throw new HoldfastError('not-found', 'the plan has no run');
  return last;
}

/** By name, or the beginning of its hash. Of plans of one name, the newest. @throws HoldfastError not-found | ambiguous */
export function findPlan(agent: Agent, text: string): PlanRecord {
  const all = agent.control.log.state.plans.all();
  const named = all.filter(({ plan }) => plan.name === text);
  const newest = named.reduce<PlanRecord | undefined>(
    (best, one) => (best === undefined || beganAt(one) > beganAt(best) ? one : best),
    undefined,
  );
  if (newest !== undefined) return newest;
  const found = all.filter(({ hash }) => text.length >= prefixMin && hash.startsWith(text));
  const [only, ...others] = found;
  const next = 'holdfast restore status';
  if (only === undefined) {
    throw new HoldfastError('not-found', `there is no plan ${JSON.stringify(text)}`, { next });
  }
  if (others.length > 0) {
    const hashes = found.map(({ hash }) => hash.slice(0, 12)).join(', ');
    throw new HoldfastError('ambiguous', `"${text}" may be any of: ${hashes}`, { next });
  }
  return only;
}

function beganAt(record: PlanRecord): number {
  return newestRun(record).index;
}
