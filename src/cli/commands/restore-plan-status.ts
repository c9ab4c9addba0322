import type { Command } from 'commander';
import type { PlanReport, PlanStepReport } from '../../agent/plan-types.ts';
import type { PlanHash } from '../../core/format/control-records.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import type { Cell } from '../table.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { followPlan } from './restore-plan-follow.ts';
import { stepTree } from './restore-plan-tree.ts';

type StatusFlags = { follow?: true };
type Decision = {
  verb: string;
  decision: 'resume' | 'cancel' | 'roll-back';
  words: string;
  done: string;
};

const decisions: readonly Decision[] = [
  {
    verb: 'resume',
    decision: 'resume',
    words: 'Let a plan that has stopped go on: every step that failed may be tried as often again.',
    done: 'goes on',
  },
  {
    verb: 'cancel',
    decision: 'cancel',
    words: 'Give a plan up. What it has restored stays where it is.',
    done: 'is cancelled',
  },
  {
    verb: 'rollback',
    decision: 'roll-back',
    words: 'Undo what a plan has done, last first. Not once a dataset was promoted.',
    done: 'is being rolled back',
  },
];

/** restore status, resume, cancel, rollback. */
export function addPlanStatus(restore: Command, register: Register): void {
  const statusCommand = restore
    .command('status')
    .description('Show all restore plans, or how far one is.')
    .argument('[plan]', 'its name, or the beginning of its hash')
    .option('-f, --follow', 'go on showing until it is over');
  register<StatusFlags>(
    statusCommand,
    (context, { args, options }) => status(context, args[0], options),
    { stopsInOrder: true },
  );
  for (const decision of decisions) {
    const command = restore
      .command(decision.verb)
      .description(`${decision.words} An operator signs it.`)
      .argument('<plan>', 'its name, or the beginning of its hash');
    register<OperatorFlags>(operatorOptions(command), (context, { args, options }) =>
      decide(context, { plan: args[0] ?? '', flags: options, decision }),
    );
  }
}

async function status(
  context: CliContext,
  plan: string | undefined,
  flags: StatusFlags,
): Promise<void> {
  const agent = context.backend.control(context.stateDir);
  if (plan === undefined) return list(context, await agent.plans());
  const report = await agent.plan(plan);
  if (flags.follow === true) return followPlan(context, report);
  await show(context, report);
}

async function list(context: CliContext, plans: readonly PlanReport[]): Promise<void> {
  const { output, stateFlag } = context;
  if (output.isJson) {
    for (const plan of plans) await output.json(message('plan', plan));
    return;
  }
  if (plans.length === 0) {
    return output.print(
      'No restore plan has been run.',
      `next: holdfast restore plan DATASET --to SITE -o FILE${stateFlag}`,
    );
  }
  await output.table(
    [
      { title: 'PLAN' },
      { title: 'HASH' },
      { title: 'SITE' },
      { title: 'RUN', align: 'right' },
      { title: 'STATE' },
      { title: 'STEPS DONE' },
      { title: 'COORDINATOR' },
      { title: 'SIGNED' },
    ],
    plans.map((plan) => [
      plan.name,
      plan.hash.slice(0, 8),
      plan.site,
      String(plan.run),
      runCell(plan),
      `${plan.steps.filter(({ state }) => state === 'done').length} of ${plan.steps.length}`,
      plan.coordinator ?? '-',
      formatTime(plan.timeMs),
    ]),
  );
}

function runCell({ state, isHeld }: PlanReport): Cell {
  if (isHeld) return 'held';
  if (state === 'done') return { text: state, style: 'green' };
  if (state === 'escalated') return { text: 'needs a decision', style: 'red' };
  return state === 'failed' ? { text: state, style: 'red' } : state;
}

async function show(context: CliContext, report: PlanReport): Promise<void> {
  const { output, stateFlag } = context;
  if (output.isJson) return output.json(message('plan', report));
  const { name, hash, run, state, isHeld, coordinator, authors, granted, timeMs, steps } = report;
  await output.print(
    `Plan ${clean(name)} (${hash.slice(0, 12)}), run ${run}: ${isHeld ? 'held until its site is lost' : state}.`,
    `  signed by ${clean(authors.join(', '))} at ${formatTime(timeMs)}`,
    `  coordinator ${clean(coordinator ?? 'nobody yet')}${isOver(state) ? '' : `; keys granted to ${clean(granted.join(', ') || 'nobody')}`}`,
    '',
  );
  await output.table(
    [
      { title: 'STEP' },
      { title: 'STATE' },
      { title: 'TRIES' },
      { title: 'AGENT' },
      { title: 'WHAT' },
    ],
    stepTree(steps).map(({ branch, step }) => [
      branch + step.id,
      stepCell(step),
      `${step.attempt} of ${step.attemptsMax}`,
      step.worker ?? '-',
      step.words,
    ]),
  );
  for (const { id, detail } of steps) {
    if (detail !== '') await output.print(`  ${clean(id)}: ${clean(detail)}`);
  }
  if (state === 'escalated') {
    const short = `${hash.slice(0, 8)}${stateFlag}`;
    await output.print(
      '',
      `It needs a decision: holdfast restore resume ${short} (or rollback, or cancel)`,
    );
  }
}

/** Grants are forgotten then. */
function isOver(state: PlanReport['state']): boolean {
  return ['done', 'failed', 'cancelled'].includes(state);
}

function stepCell({ state }: PlanStepReport): Cell {
  if (state === 'done') return { text: state, style: 'green' };
  if (state === 'failed') return { text: state, style: 'yellow' };
  return state === 'escalated' ? { text: state, style: 'red' } : state;
}

async function decide(
  context: CliContext,
  request: { plan: string; flags: OperatorFlags; decision: Decision },
): Promise<void> {
  const { output, stateFlag } = context;
  const { flags, decision } = request;
  const { hash, run, name } = await context.backend.control(context.stateDir).plan(request.plan);
  const body = { kind: 'plan-decision', plan: hash as PlanHash, run, decision: decision.decision };
  const report = await submitAsOperator(context, flags, { ...body, kind: 'plan-decision' });
  await printApplied(context, report, { plan: hash, run, decision: decision.decision });
  if (output.isJson) return;
  await output.print(`Plan ${clean(name)} (${hash.slice(0, 8)}), run ${run}, ${decision.done}.`);
  await output.remark(`next: holdfast restore status ${hash.slice(0, 8)} --follow${stateFlag}`);
}
