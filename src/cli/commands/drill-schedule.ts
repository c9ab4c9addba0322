import { type Command, InvalidArgumentError } from 'commander';
import type { DrillPlanReport } from '../../agent/drill-types.ts';
import { formatSize, formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import { hoursOf } from '../../core/policy/load-window.ts';
import { isNameLike } from '../../core/policy/name-pattern.ts';
import type { DatasetRuleText, PolicyDocument } from '../../core/policy/policy-document.ts';
import { durationText, sizeText } from '../../core/policy/policy-quantity.ts';
import type { Register } from '../action.ts';
import { durationArgument, repeated, sizeArgument } from '../arguments.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorOptions } from '../operator.ts';
import { submitPolicy } from '../policy-submit.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type AddFlags = OperatorFlags & { every: number; sample?: number; window?: string; at?: string[] };

/** drill schedule add, list, remove; drill key. */
export function addDrillSchedule(drill: Command, register: Register): void {
  const schedule = drill
    .command('schedule')
    .description('When datasets are drilled, and which hosts do it without a person.');
  const addCommand = schedule
    .command('add')
    .description('Want a dataset drilled so often; what is not named stays. Operators sign it.')
    .argument('<dataset>', 'its name, or a pattern as in the policy: db-*')
    .requiredOption('--every <duration>', 'how often: 1d, 30d', durationArgument)
    .option('--sample <size>', 'drills without a person restore about so much', sizeArgument)
    .option('--window <hours>', 'hours in which they begin, UTC: 22:00-06:00', hoursArgument)
    .option('--at <host>', 'a member that drills without a person; repeatable', repeated);
  register<AddFlags>(operatorOptions(addCommand), (context, { args, options }) =>
    add(context, args[0] ?? '', options),
  );
  register(schedule.command('list').description('Show what is wanted, and what is next.'), list);
  const removeCommand = schedule
    .command('remove')
    .description('Want a dataset drilled no more. Operators sign it.')
    .argument('<dataset>', 'as it was added');
  register<OperatorFlags>(operatorOptions(removeCommand), (context, { args, options }) =>
    remove(context, args[0] ?? '', options),
  );
  register(
    drill
      .command('key')
      .description('Show the key with which this host drills without a person, and how to let it.'),
    key,
  );
}

function hoursArgument(value: string): string {
  if (hoursOf(value) !== undefined) return value;
  throw new InvalidArgumentError('Give two times of day, UTC, as 22:00-06:00.');
}

async function add(context: CliContext, dataset: string, flags: AddFlags): Promise<void> {
  const { every, sample, window: hours, at } = flags;
  const everyText = durationText(every);
  const sampleText = sample === undefined ? undefined : sizeText(sample);
  if (everyText === undefined) throw new HoldfastError('usage', '--every is in whole seconds');
  const before = await context.backend.control(context.stateDir).policy();
  const drill = {
    every: everyText,
    ...(sampleText === undefined ? {} : { sample: sampleText }),
    ...(hours === undefined ? {} : { window: hours }),
    ...(at === undefined ? {} : { agents: at }),
  };
  const wanted = withRule(before.document, dataset, (rule) => ({
    ...rule,
    drill: { ...rule.drill, ...drill },
  }));
  await submitPolicy(context, flags, before, wanted);
  if (context.output.isJson || at === undefined) return;
  await context.output.remark(
    `next, on ${at.map(clean).join(', ')}: holdfast drill key, which says how it is let to open the dataset`,
  );
}

async function remove(context: CliContext, dataset: string, flags: OperatorFlags): Promise<void> {
  const before = await context.backend.control(context.stateDir).policy();
  const found = before.document.datasets?.find(({ match }) => match === dataset);
  if (found?.drill === undefined) {
    const what = `no rule of the policy wants ${JSON.stringify(dataset)} drilled`;
    throw new HoldfastError('not-found', what, { next: 'holdfast drill schedule list' });
  }
  const wanted = withRule(before.document, dataset, ({ drill: _, ...rule }) => rule);
  await submitPolicy(context, flags, before, wanted);
}

/**
 * The first rule that fits a dataset counts alone. So one of its own takes over what held for it, and stands before
 * the rule that it has this from.
 */
function withRule(
  document: PolicyDocument,
  match: string,
  change: (rule: DatasetRuleText) => DatasetRuleText,
): PolicyDocument {
  const rules = [...(document.datasets ?? [])];
  const own = rules.findIndex((rule) => rule.match === match);
  if (own >= 0)
    return { ...document, datasets: rules.with(own, change(rules[own] as DatasetRuleText)) };
  const general = rules.findIndex((rule) => isNameLike(match, rule.match));
  const at = general < 0 ? rules.length : general;
  return { ...document, datasets: rules.toSpliced(at, 0, change({ ...rules[general], match })) };
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const plans = await context.backend.control(context.stateDir).drillSchedule();
  if (output.isJson) {
    for (const plan of plans) await output.json(message('drill_schedule', plan));
    return;
  }
  if (plans.length === 0) {
    await output.print('The policy wants no dataset drilled.');
    return output.remark('next: holdfast drill schedule add DATASET --every 30d');
  }
  await output.table(
    [
      { title: 'DATASET' },
      { title: 'EVERY' },
      { title: 'HOW MUCH' },
      { title: 'HOURS (UTC)' },
      { title: 'BY' },
      { title: 'STATE' },
      { title: 'NEXT, HERE' },
    ],
    plans.map((plan) => [
      clean(plan.dataset),
      formatSpan(plan.everyMs),
      plan.sampleBytes === undefined ? 'all' : formatSize(plan.sampleBytes),
      plan.window ?? 'any',
      plan.agents.length === 0 ? 'a person' : plan.agents.map(clean).join(', '),
      plan.state,
      nextWords(plan, context.nowMs()),
    ]),
  );
  for (const { dataset, problem } of plans) {
    if (problem === undefined) continue;
    await output.print(`  ${clean(dataset)}: the last attempt came to nothing: ${clean(problem)}`);
  }
}

function nextWords({ part, nextMs }: DrillPlanReport, nowMs: number): string {
  if (part === 'not') return '-';
  if (part === 'source') return 'never: it is the source';
  return nextMs <= nowMs ? 'within a minute, in its hours' : formatTime(nextMs);
}

async function key(context: CliContext): Promise<void> {
  const { output, backend, stateDir } = context;
  const { recipient } = await backend.control(stateDir).drillKey();
  const { name } = await backend.control(stateDir).identity();
  if (output.isJson) return output.json(message('drill_key', { name, recipient }));
  await output.print(recipient);
  await output.remark(
    `It opens nothing yet. For a dataset that another host backs up: holdfast key add DATASET --recipient-file FILE --name "drills at ${name}" --kit FILE`,
  );
  await output.remark(
    'Whoever steals this host can then read that dataset. Take it back with: holdfast key remove',
  );
}
