import type { Command } from 'commander';
import type { DecisionReport, RetentionReport } from '../../agent/keeping-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { confirm } from '../confirm.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorOptions } from '../operator.ts';
import { sayOf } from '../snapshot-words.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ForgetFlags = OperatorFlags & {
  dataset?: string;
  policy?: true;
  dryRun?: true;
  reason?: string;
  yes?: true;
};

/** forget: what retention lets go, or what operators name. */
export function addForget(program: Command, register: Register): void {
  const command = program
    .command('forget')
    .description('Let snapshots go: those that operators name, or those that no rule keeps.')
    .argument('[snapshot...]', 'their ids')
    .option('--dataset <name>', 'only of this dataset')
    .option('--policy', 'those that the retention of the policy does not keep')
    .option('-n, --dry-run', 'only show what retention keeps, and why')
    .option('--reason <text>', 'why: everybody will read it')
    .option('--yes', 'do not ask');
  register<ForgetFlags>(operatorOptions(command), async (context, { args, options }) => {
    if (options.dryRun === true) return explain(context, args, options);
    if (args.length > 0 && options.policy !== true) return forget(context, args, options);
    if (args.length === 0 && options.policy === true) return propose(context, options);
    throw new HoldfastError(
      'usage',
      'what is to go? Name snapshots, or --policy for what no rule keeps',
      {
        next: `holdfast forget --dry-run${context.stateFlag}`,
      },
    );
  });
}

async function explain(
  context: CliContext,
  args: readonly string[],
  { dataset }: ForgetFlags,
): Promise<void> {
  const { output, backend, stateDir } = context;
  const agent = backend.control(stateDir);
  const filter = dataset === undefined ? {} : { dataset };
  const streams = await agent.retention(filter);
  const named = new Set(
    args.length === 0
      ? []
      : (await agent.resolveSnapshots({ snapshots: [...args], ...filter })).map(({ id }) => id),
  );
  const isShown = ({ id }: DecisionReport): boolean => named.size === 0 || named.has(id);
  for (const stream of streams) {
    const snapshots = stream.snapshots.filter(isShown);
    if (snapshots.length === 0 && named.size > 0) continue;
    if (output.isJson) await printJson(context, { ...stream, snapshots });
    else await printStream(context, { ...stream, snapshots });
  }
  if (streams.length === 0 && !output.isJson) await output.print('There is no dataset yet.');
}

async function printJson({ output }: CliContext, stream: RetentionReport): Promise<void> {
  const { snapshots, ...rest } = stream;
  for (const snapshot of snapshots) {
    await output.json(
      message('decision', { ...snapshot, dataset: rest.dataset, source: rest.source }),
    );
  }
  const kept = snapshots.filter(isStaying).length;
  await output.json(message('retention', { ...rest, kept, expendable: snapshots.length - kept }));
}

async function printStream({ output }: CliContext, stream: RetentionReport): Promise<void> {
  const { dataset, source, rule, haltedBecause, snapshots } = stream;
  await output.print(
    `${output.style(clean(dataset), 'bold')} of ${clean(source)}: ${rule === undefined ? 'no retention: everything is kept' : `keep ${clean(rule)}`}`,
  );
  if (haltedBecause !== undefined) {
    await output.print(
      output.style(`  nothing of it expires now: ${clean(haltedBecause)}`, 'yellow'),
    );
  }
  await output.table(
    [{ title: 'ID' }, { title: 'TIME' }, { title: 'DECISION' }, { title: 'WHY' }],
    snapshots.map((snapshot) => [
      snapshot.id.slice(0, 8),
      formatTime(snapshot.timeMs),
      decisionCell(snapshot),
      reasonText(snapshot),
    ]),
  );
  const kept = snapshots.filter(isStaying).length;
  await output.print(`${counted(kept, 'snapshot')} kept, ${snapshots.length - kept} may go.`, '');
}

/** What has been named is kept all the same while it is the newest. */
function isStaying({ isKept, stage }: DecisionReport): boolean {
  return isKept && stage !== 'trash' && stage !== 'veto';
}

function decisionCell({ isKept, stage }: DecisionReport): Cell {
  if (stage === 'trash') return { text: 'in the trash', style: 'yellow' };
  if (stage === 'veto') return { text: 'on its way out', style: 'yellow' };
  return isKept ? { text: 'keep', style: 'green' } : { text: 'may go', style: 'yellow' };
}

function reasonText({ id, reasons, isKept, stage, lockedUntilMs }: DecisionReport): string {
  const words = reasons.join('; ');
  // What others have become since may have a rule keep it after all.
  if (isKept && (stage === 'veto' || stage === 'trash')) {
    return `by now: ${words}; to keep it: holdfast undelete ${id.slice(0, 8)}`;
  }
  if (isKept || lockedUntilMs === 0) return words;
  return `${words}; locked until ${formatTime(lockedUntilMs)}`;
}

async function forget(
  context: CliContext,
  args: readonly string[],
  flags: ForgetFlags,
): Promise<void> {
  const { output } = context;
  await confirm(context, {
    warning:
      `${counted(args.length, 'snapshot')} shall go: once their locks have ended they expire, and after veto and trash they are deleted. ` +
      'Until then: holdfast undelete.',
    word: 'forget',
    isSure: flags.yes === true,
  });
  const said = await sayOf(context, { kind: 'forget', snapshots: args, flags });
  if (output.isJson) return;
  await output.print(`${counted(said, 'snapshot')} forgotten.`);
  await output.remark(`To take it back: holdfast undelete ${args.join(' ')}${context.stateFlag}`);
}

async function propose(context: CliContext, { dataset }: ForgetFlags): Promise<void> {
  const { output, backend, stateDir, stateFlag } = context;
  const agent = backend.control(stateDir);
  const proposed = await agent.proposeExpiry(dataset === undefined ? {} : { dataset });
  for (const { dataset: name, snapshots, reason } of proposed) {
    if (output.isJson) {
      await output.json(message('proposed', { dataset: name, snapshots, reason }));
    } else if (snapshots === 0) {
      await output.print(
        `${clean(name)}: nothing proposed, ${clean(reason ?? 'nothing may go now')}.`,
      );
    } else {
      await output.print(
        `${clean(name)}: proposed to let ${counted(snapshots, 'snapshot')} go; another site must reckon alike.`,
      );
    }
  }
  if (!output.isJson) await output.remark(`What becomes of it: holdfast snapshots${stateFlag}`);
}
