import type { Command } from 'commander';
import { formatSize } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { sayOf } from '../snapshot-words.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type SayFlags = OperatorFlags & { dataset?: string; reason?: string };

/** undelete, prune, unlock, quarantine: the other end of forgetting. */
export function addPrune(program: Command, register: Register): void {
  const undeleteCommand = program
    .command('undelete')
    .description('Keep snapshots after all, also out of the trash. One operator signs it.')
    .argument('<snapshot...>', 'their ids')
    .option('--dataset <name>', 'only of this dataset')
    .option('--reason <text>', 'why: everybody will read it');
  register<SayFlags>(operatorOptions(undeleteCommand), (context, { args, options }) =>
    undelete(context, args, options),
  );
  const pruneCommand = program
    .command('prune')
    .description('Let this host put aside and delete now what may go by now. Backups go on.');
  register(pruneCommand, prune);
  const unlockCommand = program
    .command('unlock')
    .description(
      'End governance locks of snapshots. Operators sign it; it waits and can be stopped.',
    )
    .argument('<snapshot...>', 'their ids')
    .option('--dataset <name>', 'only of this dataset')
    .option('--reason <text>', 'why: everybody will read it');
  register<SayFlags>(operatorOptions(unlockCommand), async (context, { args, options }) => {
    const count = await sayOf(context, { kind: 'unlock', snapshots: args, flags: options });
    if (!context.output.isJson)
      await context.output.print(`${counted(count, 'snapshot')} unlocked.`);
  });
  const quarantine = program
    .command('quarantine')
    .description('Datasets of which nothing expires until an operator has looked.');
  register(quarantine.command('list').description('List them.'), listQuarantines);
  const clearCommand = quarantine
    .command('clear')
    .description('Let a dataset expire again as its rule says. One operator signs it.')
    .argument('<dataset>', 'its name, or the beginning of its id');
  register<OperatorFlags>(operatorOptions(clearCommand), (context, { args, options }) =>
    clear(context, args[0] ?? '', options),
  );
}

async function undelete(
  context: CliContext,
  args: readonly string[],
  flags: SayFlags,
): Promise<void> {
  const { output } = context;
  const count = await sayOf(context, { kind: 'undelete', snapshots: args, flags });
  if (output.isJson) return;
  await output.print(`${counted(count, 'snapshot')} kept, until somebody forgets them.`);
}

async function prune(context: CliContext): Promise<void> {
  const { output, backend, stateDir, stateFlag } = context;
  const agent = backend.control(stateDir);
  const report = await agent.prune();
  const { expiries } = await agent.keeping();
  if (output.isJson) {
    for (const expiry of expiries) await output.json(message('expiry', expiry));
    return output.json(message('prune', report));
  }
  if (expiries.length > 0) {
    await output.table(
      [
        { title: 'DATASET' },
        { title: 'SNAPSHOTS', align: 'right' },
        { title: 'STAGE' },
        { title: 'UNTIL' },
      ],
      expiries.map(({ dataset, snapshots, stage, endsMs }) => [
        dataset,
        String(snapshots),
        stageWords[stage],
        endsMs === undefined ? '-' : formatTime(endsMs),
      ]),
    );
  }
  const { discarded, recovered, purged, locked, waiting, trash, reasons } = report;
  await output.print(
    `This host: ${counted(discarded, 'shard')} put into the trash, ${recovered} taken back, ${purged} deleted, ` +
      `${locked} kept by locks, ${waiting} to be deleted when their turn comes; ` +
      `${counted(trash.shards, 'shard')} (${formatSize(trash.bytes)}) in the trash.`,
  );
  for (const reason of reasons)
    await output.print(`${output.style('!', 'yellow')} ${clean(reason)}`);
  if (reasons.length > 0) await output.remark(`holdfast status${stateFlag}`);
}

const stageWords = {
  proposed: 'proposed: another site must reckon alike',
  veto: 'waits: undelete stops it',
  trash: 'in the trash: undelete brings it back',
  emptying: 'gone: deleted one shard of a pack a day',
} as const;

async function listQuarantines(context: CliContext): Promise<void> {
  const { output } = context;
  const { quarantines } = await context.backend.control(context.stateDir).keeping();
  if (output.isJson) {
    for (const one of quarantines) await output.json(message('quarantine', one));
    return;
  }
  if (quarantines.length > 0) {
    await output.table(
      [
        { title: 'DATASET' },
        { title: 'SOURCE' },
        { title: 'FROM SNAPSHOT', align: 'right' },
        { title: 'SAID BY' },
        { title: 'REASON' },
      ],
      quarantines.map(({ dataset, source, sequence, by, reason }) => [
        dataset,
        source,
        String(sequence),
        by,
        reason,
      ]),
    );
  }
  await output.print(counted(quarantines.length, 'quarantine'));
}

async function clear(context: CliContext, name: string, flags: OperatorFlags): Promise<void> {
  const { output, backend, stateDir, stateFlag } = context;
  const { quarantines } = await backend.control(stateDir).keeping();
  const found = quarantines.filter(
    ({ dataset, datasetId }) =>
      dataset === name || (name.length >= 4 && datasetId.startsWith(name)),
  );
  if (found.length === 0) {
    throw new HoldfastError('not-found', `no dataset ${JSON.stringify(name)} is in quarantine`, {
      next: `holdfast quarantine list${stateFlag}`,
    });
  }
  for (const one of found) {
    const ids = { dataset: one.datasetId as DatasetId, writer: one.writer as AgentKey };
    const report = await submitAsOperator(context, flags, { kind: 'clear-quarantine', ...ids });
    await printApplied(context, report, { dataset: one.dataset });
    if (!output.isJson)
      await output.print(`${clean(one.dataset)} of ${clean(one.source)} is free again.`);
  }
}
