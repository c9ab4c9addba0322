import type { Command } from 'commander';
import type { IncarnationReport, SlotReport } from '../../agent/dataset-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { confirm } from '../confirm.ts';
import { message } from '../json-fields.ts';
import { agentKeyOf } from '../member-name.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { shellWord } from '../shell-word.ts';
import type { Cell } from '../table.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type IsolateFlags = OperatorFlags & {
  agent: string;
  dataset?: string;
  reason: string;
  yes?: true;
};
type AbandonFlags = OperatorFlags & { reason: string };
type ReinstateFlags = OperatorFlags & { agent: string };

/** dataset list, show, demote, isolate, reinstate, abandon. */
export function addDataset(program: Command, register: Register): void {
  const dataset = program
    .command('dataset')
    .description('Show and decide which copy of a dataset is the live one.');
  register(dataset.command('list').description('List all datasets and who holds them.'), list);
  const showCommand = dataset
    .command('show')
    .description('Show who has held a dataset, and the proof of it.')
    .argument('<name>', 'its name, or the beginning of its id');
  register(showCommand, (context, { args }) => show(context, args[0] ?? ''));
  const demoteCommand = dataset
    .command('demote')
    .description('On the host that holds it: give a dataset up, so that another copy may go live.')
    .argument('<name>', 'its name, or the beginning of its id');
  register(demoteCommand, (context, { args }) => demote(context, args[0] ?? ''));
  const isolateCommand = dataset
    .command('isolate')
    .description('Attest that an agent is powered off or cut off. Operators sign it.')
    .requiredOption('--agent <name>', 'the agent that is off')
    .requiredOption('--reason <text>', 'how you know; it is kept for ever')
    .option('--dataset <name>', 'of this dataset only')
    .option('--yes', 'do not ask');
  register<IsolateFlags>(operatorOptions(isolateCommand), (context, { options }) =>
    isolate(context, options),
  );
  const abandonCommand = dataset
    .command('abandon')
    .description('Give up a promotion that is being voted on. An operator signs it.')
    .argument('<name>', 'its name, or the beginning of its id')
    .requiredOption('--reason <text>', 'why; the plan that has asked for it shows it');
  register<AbandonFlags>(operatorOptions(abandonCommand), (context, { args, options }) =>
    abandon(context, args[0] ?? '', options),
  );
  const reinstateCommand = dataset
    .command('reinstate')
    .description('Let a former holder write a dataset again. Operators sign it.')
    .argument('<name>', 'its name, or the beginning of its id')
    .requiredOption('--agent <name>', 'the former holder');
  register<ReinstateFlags>(operatorOptions(reinstateCommand), (context, { args, options }) =>
    reinstate(context, args[0] ?? '', options),
  );
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const datasets = await context.backend.control(context.stateDir).datasets();
  if (output.isJson) {
    for (const dataset of datasets) await output.json(message('dataset', dataset));
    return;
  }
  if (datasets.length === 0) {
    return output.print(
      'There is no dataset yet.',
      `next: holdfast backup PATH${context.stateFlag}`,
    );
  }
  await output.table(
    [
      { title: 'DATASET' },
      { title: 'STATE' },
      { title: 'LIVE COPY AT' },
      { title: 'INCARNATION', align: 'right' },
      { title: 'SOURCE' },
      { title: 'THIS HOST' },
    ],
    datasets.map((one) => [
      one.name,
      stateCell(one.state),
      liveAt(one),
      String(one.incarnation),
      one.source,
      one.here.mayWrite ? 'may write' : 'must not write',
    ]),
  );
}

function stateCell(state: IncarnationReport['state']): Cell {
  if (state === 'live') return { text: 'live', style: 'green' };
  return state === 'open' ? 'open' : { text: state, style: 'yellow' };
}

function liveAt({ state, holder, source }: IncarnationReport): string {
  if (state === 'open') return source;
  return state === 'live' ? (holder ?? '?') : 'nobody';
}

const stateWords: Readonly<Record<IncarnationReport['state'], string>> = {
  live: 'one copy is live',
  off: 'the copy that was live is known to be off: another may be promoted',
  contested: 'a promotion is being voted on',
  dead: 'the last promotion was given up: another may be tried',
  open: 'no restore plan has named it: its source writes it',
};

async function show(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  const dataset = await find(context, name);
  if (output.isJson) return output.json(message('dataset', dataset));
  const { state, incarnation, slot, certificate, here } = dataset;
  const facts: [string, string][] = [
    ['dataset', `${dataset.name} (${dataset.id.slice(0, 8)})`],
    ['source', dataset.source],
    ['state', `${state}: ${stateWords[state]}`],
    ['incarnation', `${incarnation}, live at ${liveAt(dataset)}`],
    ...(dataset.frozen === undefined ? [] : [['FROZEN', dataset.frozen] as [string, string]]),
    ...dataset.isolated.map(({ agent, reason }): [string, string] => [
      'isolated',
      `${agent}: ${reason}`,
    ]),
    ...leaseFact(dataset),
    ...(dataset.reinstated.length === 0
      ? []
      : [['reinstated', dataset.reinstated.join(', ')] as [string, string]]),
    ...(slot === undefined
      ? []
      : [
          [
            'vote',
            `${votesFor(slot)}, ${slot.abandons} against${slot.isGivenUp ? '; an operator gives it up' : ''}`,
          ] as [string, string],
        ]),
    ...(certificate === undefined ? [] : [['proof', votesFor(certificate)] as [string, string]]),
    ['this host', `${here.mayWrite ? 'may write' : 'must not write'}: ${here.reason}`],
  ];
  await output.print(...facts.map(([fact, value]) => `${fact.padEnd(12)} ${clean(value)}`));
  if (slot !== undefined) await output.print(...wayOut(context, dataset.name, slot));
  if (dataset.holders.length === 0) return;
  await output.print('');
  await output.table(
    [
      { title: 'INCARNATION', align: 'right' },
      { title: 'HELD BY' },
      { title: 'SINCE ENTRY', align: 'right' },
      { title: 'GENERATION', align: 'right' },
    ],
    dataset.holders.map((one) => [
      String(one.incarnation),
      one.agent,
      String(one.index),
      String(one.generation),
    ]),
  );
}

function leaseFact({ lease }: IncarnationReport): [string, string][] {
  if (lease === undefined) return [];
  const { holder, incarnation, forMs, isHeld, lapsed } = lease;
  const span = formatSpan(forMs);
  const seen = lapsed.length === 0 ? '' : `; seen to run out by ${lapsed.join(', ')}`;
  const text = isHeld
    ? `${holder} stops its copy unless the quorum hears of it every ${span}${seen}`
    : `incarnation ${incarnation} at ${holder} ran under one of ${span}${seen}`;
  return [['lease', text]];
}

function votesFor({ incarnation, target, grants, voters, plan, run, step }: SlotReport): string {
  const votes = `${grants} of ${voters.length} voters for incarnation ${incarnation} at ${target}`;
  return `${votes} (plan ${plan.slice(0, 8)} run ${run}, step ${step})`;
}

/** Of a vote that may never end by itself. */
function wayOut(
  { stateFlag }: CliContext,
  dataset: string,
  { grants, abandons, voters, isGivenUp, target }: NonNullable<IncarnationReport['slot']>,
): string[] {
  const isSplit = grants + abandons >= voters.length;
  if (!isSplit && !isGivenUp) return [];
  const why = isSplit
    ? 'All have voted, and neither side has enough: no vote ends this any more.'
    : 'Who has not voted may be away for good.';
  const named = `--agent ${shellWord(target)} --dataset ${shellWord(dataset)}`;
  return [
    `${why} Once you have made sure that nobody uses the copy at ${clean(target)}:`,
    `  next: holdfast dataset isolate ${named} --reason TEXT${stateFlag}`,
    `  then: holdfast dataset reinstate ${shellWord(dataset)} --agent ${shellWord(target)}${stateFlag}, to have it tried again there`,
  ];
}

async function demote(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).demote({ dataset: name });
  if (report.outcome === 'void') {
    throw new HoldfastError('not-permitted', `the control log refused it: ${report.reason ?? ''}`, {
      next: `holdfast dataset show ${name}${context.stateFlag}; run demote on the host that holds it, or attest that it is off: holdfast dataset isolate`,
    });
  }
  await printApplied(context, report, { dataset: name });
  if (output.isJson) return;
  await output.print(`This host has given ${clean(name)} up: it writes it no more.`);
}

async function isolate(context: CliContext, flags: IsolateFlags): Promise<void> {
  const { output } = context;
  const agent = await agentKeyOf(context, flags.agent);
  const dataset = flags.dataset === undefined ? undefined : await find(context, flags.dataset);
  const what = dataset === undefined ? 'all that it holds' : `dataset ${dataset.name}`;
  await confirm(context, {
    warning:
      `You attest that ${flags.agent} is off, or cut off for good, and that nobody uses its copy of ${what}. ` +
      'If that is not true, two copies will be live.',
    word: flags.agent,
    isSure: flags.yes === true,
  });
  const report = await submitAsOperator(context, flags, {
    kind: 'isolate',
    agent,
    dataset: dataset?.id as DatasetId | undefined,
    reason: flags.reason,
  });
  await printApplied(context, report, { agent: flags.agent });
  if (output.isJson) return;
  await output.print(`${clean(flags.agent)} counts as off, for ${clean(what)}.`);
  await output.remark(
    `When it is well again: holdfast dataset reinstate NAME --agent ${flags.agent}${context.stateFlag}`,
  );
}

async function abandon(context: CliContext, name: string, flags: AbandonFlags): Promise<void> {
  const { output } = context;
  const { id, name: dataset, incarnation, state } = await find(context, name);
  const show = `holdfast dataset show ${dataset}${context.stateFlag}`;
  if (state !== 'contested') {
    throw new HoldfastError(
      'not-permitted',
      `no promotion of ${dataset} is being voted on: incarnation ${incarnation} is ${state}`,
      { next: show },
    );
  }
  const body = { kind: 'abandon', dataset: id as DatasetId, incarnation } as const;
  const report = await submitAsOperator(context, flags, { ...body, reason: flags.reason });
  await printApplied(context, report, { dataset, incarnation });
  if (output.isJson) return;
  await output.print(
    `Voters that have not granted incarnation ${incarnation} of ${clean(dataset)} yet give it up.`,
  );
  await output.remark(
    `Votes that were given stand: it is dead or live once enough have answered. See: ${show}`,
  );
}

async function reinstate(context: CliContext, name: string, flags: ReinstateFlags): Promise<void> {
  const { output } = context;
  const agent: AgentKey = await agentKeyOf(context, flags.agent);
  const dataset = await find(context, name);
  const body = { kind: 'reinstate', agent, dataset: dataset.id as DatasetId } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { agent: flags.agent, dataset: dataset.name });
  if (output.isJson) return;
  const hasHeld =
    dataset.state === 'open' || dataset.holders.some((one) => one.agent === flags.agent);
  const who = clean(flags.agent);
  await output.print(
    hasHeld
      ? `${who} may write ${clean(dataset.name)} again.`
      : `${who} counts as there again, and may be promoted to hold ${clean(dataset.name)}.`,
  );
}

/** By id, unique name, or the beginning of an id. */
async function find(context: CliContext, text: string): Promise<IncarnationReport> {
  const datasets = await context.backend.control(context.stateDir).datasets();
  const named = datasets.filter(({ name, id }) => name === text || id === text);
  const found =
    named.length > 0 ? named : datasets.filter(({ id }) => text.length >= 4 && id.startsWith(text));
  const [only, ...others] = found;
  const next = `holdfast dataset list${context.stateFlag}`;
  if (only === undefined) {
    throw new HoldfastError('not-found', `there is no dataset ${JSON.stringify(text)}`, { next });
  }
  if (others.length > 0) {
    const ids = found.map(({ name, id }) => `${name} ${id.slice(0, 8)}`).join(', ');
    throw new HoldfastError('ambiguous', `${JSON.stringify(text)} may be any of: ${ids}`, { next });
  }
  return only;
}
