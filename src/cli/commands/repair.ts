import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { RepairReport, RepairTaskReport, WrongPackReport } from '../../agent/upkeep-types.ts';
import { formatSize, formatSpan } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { RepairPart } from '../../core/policy/repair-part.ts';
import type { Register } from '../action.ts';
import type { RepairReport as IndexReport } from '../backend.ts';
import { message } from '../json-fields.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type RepairFlags = { index?: true; dryRun?: true; all?: true };

const pollMs = secondMs;
/** Rows for people; JSON has all. */
const rowsMax = 40;

/** repair. */
export function addRepair(program: Command, register: Register): void {
  const command = program
    .command('repair')
    .description('Make lost shards anew, and wait until nothing that is due is missing.')
    .option('--all', 'of what this host makes also that which may wait for a day')
    .addOption(
      new Option(
        '--dry-run',
        'list what is missing, why, and who makes it; begin nothing',
      ).conflicts('all'),
    )
    .addOption(
      new Option(
        '--index',
        'rebuild the index of the shards and statements from their files',
      ).conflicts(['all', 'dryRun']),
    );
  register<RepairFlags>(command, async (context, { options }) => {
    if (options.index === true) await reportIndex(context, await repairIndex(context));
    else if (options.dryRun === true) await list(context);
    else await repair(context, options.all === true ? 'all' : 'due');
  });
}

async function list(context: CliContext): Promise<void> {
  const agent = context.backend.control(context.stateDir);
  const report = await agent.repairs({ begin: 'nothing' });
  const { output } = context;
  if (output.isJson) {
    for (const task of report.tasks) await output.json(message('repair', task));
    for (const pack of report.lost) await output.json(message('lost_pack', pack));
    for (const pack of report.wrong) await output.json(message('wrong_pack', pack));
    await output.json(message('summary', totals(report)));
  } else await print(context, report);
  refuseLoss(context, report);
}

async function print(context: CliContext, report: RepairReport): Promise<void> {
  const { output } = context;
  if (report.tasks.length > 0) {
    await output.table(
      [
        { title: 'PACK' },
        { title: 'SHARD', align: 'right' },
        { title: 'SIZE', align: 'right' },
        { title: 'MORE SITES MAY FAIL' },
        { title: 'WHEN' },
        { title: 'MADE BY' },
        { title: 'WHY' },
      ],
      report.tasks.slice(0, rowsMax).map(row),
    );
    if (report.taskCount > rowsMax) {
      await output.print(`  and ${report.taskCount - rowsMax} more`);
    }
  }
  await printSummary(context, report);
}

function row(task: RepairTaskReport): string[] {
  return [
    task.pack.slice(0, 8),
    String(task.index),
    formatSize(task.bytes),
    task.spare < 0 ? 'already too many' : task.spare === 0 ? 'none' : `any ${task.spare}`,
    task.isUrgent ? 'now, urgent' : task.isDue ? 'now' : 'later',
    task.by ?? 'nobody: no room, or not there',
    clean(task.reason),
  ];
}

async function printSummary(
  { output, stateFlag }: CliContext,
  report: RepairReport,
): Promise<void> {
  const { packs, taskCount, dueCount, lost, awaitedPacks, isBraked, wrong, silentHosts } = report;
  if (taskCount === 0 && lost.length === 0) {
    await output.print(`${counted(packs, 'pack')}: every shard is where it should be.`);
  } else {
    await output.print(
      `${counted(packs, 'pack')}: ${counted(taskCount, 'shard')} missing, ${dueCount} due now;` +
        ` ${lost.length} packs cannot be rebuilt.`,
    );
  }
  if (silentHosts.length > 0) {
    await output.print(
      `  ${clean(silentHosts.join(', '))} cannot be reached now: what lies there counts` +
        ` until the site has been silent for ${formatSpan(report.lostAfterMs)}`,
      `  next: holdfast peer list${stateFlag}`,
    );
  }
  if (awaitedPacks > 0) {
    await output.print(
      `  ${counted(awaitedPacks, 'pack')} may still be on the way from the source`,
    );
  }
  const makers = [...new Set(report.tasks.flatMap(({ isDue, by }) => (isDue || !by ? [] : by)))];
  if (makers.length > 0) {
    const where = clean(makers.join(', '));
    await output.print(`  the others may wait for a day; now: holdfast repair --all, on ${where}`);
  }
  if (isBraked) {
    await output.print(
      '  more than a tenth of all shards went within an hour: only what is urgent is made anew',
      `  if the hosts are gone for good: holdfast peer remove NAME${stateFlag}`,
    );
  }
  for (const one of wrong) await output.print(`  ${wrongWords(one)}`);
}

function wrongWords({ source, pack, from, index }: WrongPackReport): string {
  return (
    `${clean(source)} has encoded pack ${pack.slice(0, 8)} wrongly: shards ${from.join(', ')}` +
    ` make another shard ${index} than the pack's id says`
  );
}

/** The hosts repair by themselves; this makes the host at hand begin now, and looks on. */
async function repair(context: CliContext, begin: RepairPart): Promise<void> {
  const agent = context.backend.control(context.stateDir);
  const progress = startProgress(context);
  let report = await agent.repairs({ begin });
  let most = report.dueCount;
  while (report.dueCount > report.stuckCount) {
    most = Math.max(most, report.dueCount);
    const done = most - report.dueCount;
    await progress.update({
      unit: 'shards',
      done,
      total: most,
      current: report.current === undefined ? '' : `pack ${report.current.slice(0, 8)}`,
      json: { shards_done: done, total_shards: most, bytes_read: report.bytesRead },
    });
    await sleep(pollMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) throw new HoldfastError('interrupted', 'interrupted');
    report = await agent.repairs({ begin });
  }
  await progress.end();
  if (context.output.isJson) await context.output.json(message('summary', totals(report)));
  else {
    await printSummary(context, report);
    if (report.made > 0) {
      await context.output.print(
        `  this host has made ${counted(report.made, 'shard')} since it started,` +
          ` from ${formatSize(report.bytesRead)} read`,
      );
    }
  }
  refuseLoss(context, report);
  if (report.stuckCount === 0) return;
  const text = `${counted(report.stuckCount, 'shard')} can be made nowhere: no site that is there has room`;
  throw new HoldfastError('below-policy', text, {
    next: `holdfast peer list${context.stateFlag}`,
  });
}

function totals({ tasks: _, lost, wrong, ...rest }: RepairReport): object {
  return { ...rest, lostPacks: lost.length, wrongPacks: wrong.length };
}

function refuseLoss({ stateFlag }: CliContext, { lost }: RepairReport): void {
  if (lost.length === 0) return;
  const text = `${counted(lost.length, 'pack')} cannot be rebuilt from the sites that are there`;
  throw new HoldfastError('too-few-shards', text, {
    next: `bring back the hosts that hold their shards: holdfast peer list${stateFlag}`,
  });
}

/** Through the agent when one runs, since it holds the state directory. */
async function repairIndex({ backend, stateDir }: CliContext): Promise<IndexReport> {
  try {
    return await backend.control(stateDir).rebuildIndex();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'agent-not-running') throw error;
    return backend.repairIndex({ stateDir });
  }
}

async function reportIndex({ output }: CliContext, repaired: IndexReport): Promise<void> {
  if (output.isJson) return output.json(message('summary', repaired));
  await output.print(
    `The index names ${counted(repaired.shards, 'shard')} and ${counted(repaired.statements, 'statement')} again;` +
      ` ${counted(repaired.quarantined, 'damaged file')} set aside.`,
  );
}
