import { type Command, Option } from 'commander';
import type { LayoutPlan, LayoutReport, LayoutVoter, VoterSet } from '../../agent/layout-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Layout } from '../../core/format/control-records.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { repeatedList, versionArgument } from '../arguments.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { shellWord } from '../shell-word.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { showLoss, whatIfOption } from './layout-what-if.ts';

type WishFlags = { pin?: string[]; auto?: true };
type PlanFlags = WishFlags & { whatIf?: string[] };
type VersionFlags = OperatorFlags & { version: number };

/** layout show, plan, apply, revert, history. */
export function addLayout(program: Command, register: Register): void {
  const layout = program.command('layout').description('Show and decide which members vote.');
  const showCommand = layout
    .command('show')
    .description('Show who votes, why, and what it survives.');
  register(showCommand, show);
  const planCommand = layout
    .command('plan')
    .description('Show what a change would bring, and the command that makes it.');
  register<PlanFlags>(wishOptions(planCommand).addOption(whatIfOption()), (context, { options }) =>
    options.whatIf === undefined ? plan(context, options) : showLoss(context, options.whatIf),
  );
  const applyCommand = layout
    .command('apply')
    .description('Put a layout into force. Operators sign it.')
    .requiredOption('--version <n>', 'its version, as plan has named it', versionArgument);
  register<VersionFlags & WishFlags>(
    operatorOptions(wishOptions(applyCommand)),
    (context, { options }) => apply(context, options),
  );
  const revertCommand = layout
    .command('revert')
    .description('Put an earlier version into force again. Operators sign it.')
    .requiredOption('--version <n>', 'the version to go back to', versionArgument);
  register<VersionFlags>(operatorOptions(revertCommand), (context, { options }) =>
    revert(context, options),
  );
  const historyCommand = layout
    .command('history')
    .description('List all versions with those who signed them.');
  register(historyCommand, history);
}

function wishOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--pin <names>', 'exactly these vote: names, separated by commas')
        .argParser(repeatedList)
        .conflicts('auto'),
    )
    .option('--auto', 'the coordinator chooses, one a site where it can');
}

async function show(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).layout();
  if (output.isJson) return output.json(message('layout', report));
  const { version, mode, now, wanted, reasons } = report;
  const how = mode === 'auto' ? 'the coordinator chooses the voters' : 'the voters are pinned';
  await output.print(`Layout version ${version}: ${how}.`, `  now: ${clean(now.words)}`, '');
  await printVoters(context, now.voters, wanted.voters);
  await output.print('', 'Why:', ...reasons.map((reason) => `  ${clean(reason)}`));
  await printWarnings(context, now);
}

async function plan(context: CliContext, flags: WishFlags): Promise<void> {
  const { output } = context;
  const proposal = await propose(context, flags, 'plan');
  const command = applyLine(context, flags, proposal.version);
  if (output.isJson) return output.json(message('layout_plan', { ...proposal, apply: command }));
  const { version, base, now, wanted, reasons } = proposal;
  await output.print(`Version ${version} would replace version ${base}.`, '');
  await printVoters(context, now.voters, wanted.voters);
  await output.print(
    '',
    `now:   ${clean(now.words)}`,
    `then:  ${clean(wanted.words)}`,
    '',
    'Why:',
    ...reasons.map((reason) => `  ${clean(reason)}`),
  );
  await printWarnings(context, wanted);
  await output.print('', `Nothing has changed. To apply it: ${command}`);
}

async function apply(context: CliContext, flags: VersionFlags & WishFlags): Promise<void> {
  const proposal = await propose(context, flags, 'apply');
  const { version, base, mode, wanted } = proposal;
  if (flags.version !== version) throw stale(context, flags.version, base);
  const voters = mode === 'auto' ? [] : wanted.voters.map(({ agentKey }) => agentKey as AgentKey);
  await submit(context, flags, { version, base, mode, voters });
}

async function revert(context: CliContext, flags: VersionFlags): Promise<void> {
  const report = await context.backend.control(context.stateDir).layout();
  const old = report.history.find(({ version }) => version === flags.version);
  if (old === undefined) {
    throw new HoldfastError('not-found', `there is no version ${flags.version} to go back to`, {
      next: `holdfast layout history${context.stateFlag}`,
    });
  }
  const voters = old.voters.map(({ agentKey }) => agentKey as AgentKey);
  const { version: base } = report;
  await submit(context, flags, { version: base + 1, base, mode: old.mode, voters });
}

async function submit(context: CliContext, flags: OperatorFlags, layout: Layout): Promise<void> {
  const { output } = context;
  const agent = context.backend.control(context.stateDir);
  try {
    const report = await submitAsOperator(context, flags, { kind: 'layout', ...layout });
    await printApplied(context, report, { version: layout.version, mode: layout.mode });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'not-permitted') throw error;
    const { version: current } = await agent.layout();
    // Somebody was faster: the log takes each version once.
    if (current !== layout.base) throw stale(context, layout.version, current);
    throw error;
  }
  if (output.isJson) return;
  await output.print(`Layout version ${layout.version} is in force.`);
  const next = `holdfast layout show${context.stateFlag}`;
  await output.remark(`The voters change one at a time, as members can be reached: ${next}`);
  await printWarnings(context, (await agent.layout()).wanted);
}

function stale(context: CliContext, version: number, current: number): HoldfastError {
  return new HoldfastError(
    'failed',
    `version ${version} does not follow version ${current}, which is in force`,
    {
      next: `holdfast layout plan${context.stateFlag}, and apply the version that it names`,
      details: { current },
    },
  );
}

async function propose(
  context: CliContext,
  { pin, auto }: WishFlags,
  verb: string,
): Promise<LayoutPlan> {
  if (pin === undefined && auto !== true && verb === 'apply') {
    throw new HoldfastError('usage', 'say which layout: --pin NAME,NAME,.. or --auto', {
      next: `holdfast layout plan${context.stateFlag}`,
    });
  }
  const agent = context.backend.control(context.stateDir);
  return agent.planLayout(pin === undefined ? {} : { pin });
}

function applyLine(context: CliContext, { pin }: WishFlags, version: number): string {
  const wish = pin === undefined ? '--auto' : `--pin ${shellWord(pin.join(','))}`;
  return `holdfast layout apply --version ${version} ${wish}${context.stateFlag}`;
}

async function printVoters(
  { output }: CliContext,
  now: readonly LayoutVoter[],
  wanted: readonly LayoutVoter[],
): Promise<void> {
  const isIn = (list: readonly LayoutVoter[], { agentKey }: LayoutVoter): boolean =>
    list.some((one) => one.agentKey === agentKey);
  const coming = wanted.filter((voter) => !isIn(now, voter));
  await output.table(
    [{ title: 'VOTER' }, { title: 'SITE' }, { title: 'REGION' }, { title: 'STATE' }, { title: '' }],
    [...now, ...coming].map((voter) => [
      voter.isWitness ? `${voter.name} (witness)` : voter.name,
      voter.site,
      voter.region,
      voter.isReachable
        ? { text: 'reachable', style: 'green' }
        : { text: 'unreachable', style: 'red' },
      isIn(now, voter) ? (isIn(wanted, voter) ? 'stays' : 'is to go') : 'is to come',
    ]),
  );
}

async function printWarnings({ output }: CliContext, { warnings }: VoterSet): Promise<void> {
  for (const { text, next } of warnings) {
    await output.print(`${output.style('!', 'yellow')} ${clean(text)}`, `  next: ${clean(next)}`);
  }
}

async function history(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).layout();
  if (output.isJson) {
    for (const version of report.history) await output.json(message('layout_version', version));
    return;
  }
  await output.table(
    [
      { title: 'VERSION', align: 'right' },
      { title: 'MODE' },
      { title: 'VOTERS' },
      { title: 'SIGNED BY' },
      { title: 'TIME' },
    ],
    report.history.map(row),
  );
}

function row({
  version,
  mode,
  voters,
  authors,
  timeMs,
}: LayoutReport['history'][number]): string[] {
  return [
    String(version),
    mode,
    voters.length === 0 ? 'chosen' : voters.map(({ name }) => name).join(', '),
    authors.length === 0 ? '-' : authors.join(', '),
    timeMs === 0 ? '-' : formatTime(timeMs),
  ];
}
