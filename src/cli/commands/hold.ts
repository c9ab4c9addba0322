import type { Command } from 'commander';
import type { HoldReport } from '../../agent/keeping-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CommandId } from '../../core/format/control-records.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type AddFlags = OperatorFlags & { dataset?: string; reason: string };
type RemoveFlags = OperatorFlags & { reason: string };

/** hold add, list, remove. */
export function addHold(program: Command, register: Register): void {
  const hold = program
    .command('hold')
    .description('Legal holds: what is held does not expire, whoever asks.');
  const addCommand = hold
    .command('add')
    .description('Hold snapshots, or a whole dataset. One operator signs it.')
    .argument('[snapshot...]', 'their ids; none: the whole dataset')
    .option('--dataset <name>', 'the dataset')
    .requiredOption('--reason <text>', 'why: everybody will read it');
  register<AddFlags>(operatorOptions(addCommand), (context, { args, options }) =>
    add(context, args, options),
  );
  const listCommand = hold.command('list').description('List all holds.');
  register(listCommand, list);
  const removeCommand = hold
    .command('remove')
    .description('End a hold. As many operators sign it as decide for the cluster.')
    .argument('<id>', 'the beginning of its id')
    .requiredOption('--reason <text>', 'why: everybody will read it');
  register<RemoveFlags>(operatorOptions(removeCommand), (context, { args, options }) =>
    remove(context, args[0] ?? '', options),
  );
}

async function add(
  context: CliContext,
  snapshots: readonly string[],
  flags: AddFlags,
): Promise<void> {
  const { output } = context;
  const { reason } = flags;
  for (const { what, ...body } of await targets(context, snapshots, flags)) {
    const report = await submitAsOperator(context, flags, { kind: 'hold', ...body, reason });
    await printApplied(context, report, { held: what });
    if (!output.isJson) await output.print(`Held: ${clean(what)}.`);
  }
}

type Target = {
  what: string;
  dataset: DatasetId;
  snapshot: { writer: AgentKey; sequence: number } | undefined;
};

async function targets(
  context: CliContext,
  snapshots: readonly string[],
  { dataset }: AddFlags,
): Promise<Target[]> {
  const agent = context.backend.control(context.stateDir);
  if (snapshots.length > 0) {
    const named = { snapshots: [...snapshots], ...(dataset === undefined ? {} : { dataset }) };
    return (await agent.resolveSnapshots(named)).map((one) => ({
      what: `snapshot ${one.id.slice(0, 8)} of ${one.dataset}`,
      dataset: one.datasetId as DatasetId,
      snapshot: { writer: one.writer as AgentKey, sequence: one.sequence },
    }));
  }
  if (dataset === undefined) {
    throw new HoldfastError('usage', 'what is to be held? Name snapshots, or --dataset', {
      next: `holdfast snapshots${context.stateFlag}`,
    });
  }
  const found = (await agent.datasets()).filter(
    ({ name, id }) => name === dataset || (dataset.length >= 4 && id.startsWith(dataset)),
  );
  const [only, second] = found;
  if (only === undefined) {
    throw new HoldfastError('not-found', `there is no dataset "${dataset}"`, {
      next: `holdfast dataset list${context.stateFlag}`,
    });
  }
  if (second !== undefined) {
    const ids = found.map(({ id }) => id.slice(0, 8)).join(', ');
    throw new HoldfastError('ambiguous', `"${dataset}" may be any of: ${ids}`, {
      next: `holdfast hold add --dataset ID --reason TEXT${context.stateFlag}`,
    });
  }
  const what = `all of ${only.name} (${only.id.slice(0, 8)})`;
  return [{ what, dataset: only.id as DatasetId, snapshot: undefined }];
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const { holds } = await context.backend.control(context.stateDir).keeping();
  if (output.isJson) {
    for (const hold of holds) await output.json(message('hold', hold));
    return;
  }
  if (holds.length > 0) {
    await output.table(
      [
        { title: 'HOLD' },
        { title: 'DATASET' },
        { title: 'WHAT' },
        { title: 'SINCE' },
        { title: 'BY' },
        { title: 'REASON' },
      ],
      holds.map((hold) => [
        hold.id.slice(0, 8),
        hold.dataset,
        whatOf(hold),
        hold.sinceMs === 0 ? '?' : formatTime(hold.sinceMs),
        hold.operators.join(', '),
        hold.reason,
      ]),
    );
  }
  await output.print(counted(holds.length, 'hold'));
}

function whatOf({ snapshot }: HoldReport): string {
  if (snapshot === undefined) return 'everything';
  return snapshot.id?.slice(0, 8) ?? `snapshot ${snapshot.sequence}`;
}

async function remove(context: CliContext, prefix: string, flags: RemoveFlags): Promise<void> {
  const { output } = context;
  const { holds } = await context.backend.control(context.stateDir).keeping();
  const found = holds.filter(({ id }) => prefix.length >= 4 && id.startsWith(prefix.toLowerCase()));
  const [only, second] = found;
  if (only === undefined || second !== undefined) {
    throw new HoldfastError(
      only === undefined ? 'not-found' : 'ambiguous',
      `${JSON.stringify(prefix)} names ${only === undefined ? 'no hold' : `${found.length} holds`}: give 4 or more characters of its id`,
      { next: `holdfast hold list${context.stateFlag}` },
    );
  }
  const body = { kind: 'release', hold: only.id as CommandId, reason: flags.reason } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { hold: only.id });
  if (output.isJson) return;
  await output.print(`The hold on ${clean(only.dataset)} (${clean(whatOf(only))}) is over.`);
}
