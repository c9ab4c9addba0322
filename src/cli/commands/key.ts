import type { Command } from 'commander';
import type { DatasetKeys, KeyEpochReport, KeysReport } from '../../agent/key-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey, DatasetId } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { versionArgument } from '../arguments.ts';
import { confirm } from '../confirm.ts';
import { message } from '../json-fields.ts';
import { findKeys } from '../key-dataset.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { addKeyEscrow } from './key-escrow.ts';
import { addKeyKit } from './key-kit.ts';
import { addKeyRecipients } from './key-recipients.ts';

type RotateFlags = { fresh?: true };
type DestroyFlags = OperatorFlags & {
  epoch: number;
  reason: string;
  includingNewer?: true;
  yes?: true;
};

/** key list, rotate, destroy; and those of the files beside this. */
export function addKey(program: Command, register: Register): void {
  const key = program.command('key').description('Show and decide who can open backups.');
  register(
    key.command('list').description('List key epochs of all datasets, and who can open them.'),
    list,
  );
  const rotateCommand = key
    .command('rotate')
    .description('On the source: seal future packs to a new key. What is stored stays as it is.')
    .argument('<dataset>', 'its name, or the beginning of its id')
    .option('--fresh', 'the next backup stores everything anew, and needs no older key');
  register<RotateFlags>(rotateCommand, (context, { args, options }) =>
    rotate(context, args[0] ?? '', options),
  );
  addKeyRecipients(key, register);
  addKeyKit(key, register);
  addKeyEscrow(key, register);
  const destroyCommand = key
    .command('destroy')
    .description('Shred the snapshots of a key epoch, for ever. Operators sign it.')
    .argument('<dataset>', 'its name, or the beginning of its id')
    .requiredOption('--epoch <n>', 'the epoch whose key every member deletes', versionArgument)
    .requiredOption('--reason <text>', 'why; it is kept for ever')
    .option('--including-newer', 'although snapshots of later epochs need it too')
    .option('--yes', 'do not ask');
  register<DestroyFlags>(operatorOptions(destroyCommand), (context, { args, options }) =>
    destroy(context, args[0] ?? '', options),
  );
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).keys();
  if (output.isJson) {
    for (const { epochs, ...dataset } of report.datasets) {
      for (const epoch of epochs) await output.json(message('key_epoch', { ...dataset, ...epoch }));
    }
    const { datasets: _, ...rest } = report;
    return output.json(message('keys', rest));
  }
  await printEpochs(context, report);
  await output.print('', kitLine(report), ...recipientLines(report), ...escrowLines(report));
}

async function printEpochs({ output }: CliContext, { datasets }: KeysReport): Promise<void> {
  if (datasets.length === 0) return output.print('There is no dataset yet.');
  await output.table(
    [
      { title: 'DATASET' },
      { title: 'EPOCH', align: 'right' },
      { title: 'CREATED' },
      { title: 'SNAPSHOTS', align: 'right' },
      { title: 'STATE' },
      { title: 'OPENS WITH' },
    ],
    datasets.flatMap((dataset) => dataset.epochs.map((epoch) => epochRow(dataset, epoch))),
  );
}

function epochRow({ name }: DatasetKeys, epoch: KeyEpochReport): Cell[] {
  return [
    name,
    String(epoch.epoch),
    formatTime(epoch.timeMs),
    String(epoch.snapshots),
    stateCell(epoch),
    opensWith(epoch),
  ];
}

function stateCell({ record, isCurrent, isStale }: KeyEpochReport): Cell {
  if (record === 'destroyed') return { text: 'destroyed', style: 'red' };
  if (record === 'missing') return { text: 'record not here yet', style: 'yellow' };
  if (record === 'statement') return { text: 'cannot be destroyed', style: 'yellow' };
  if (isStale) return { text: 'not rewrapped', style: 'yellow' };
  return isCurrent ? { text: 'current', style: 'green' } : 'old';
}

function opensWith({ record, recipients, kitVersion, destroyed }: KeyEpochReport): string {
  if (destroyed !== undefined) return `nothing: ${clean(destroyed.reason)}`;
  const kit = kitVersion === 0 ? 'kit' : `kit ${kitVersion}`;
  return record === 'missing' ? '?' : [kit, ...recipients.map(clean)].join(', ');
}

function kitLine({ kit }: KeysReport): string {
  const made = kit.timeMs === 0 ? 'made with the cluster' : `made ${formatTime(kit.timeMs)}`;
  return `Recovery kit ${kit.version} (${kit.id}), ${made}.`;
}

function recipientLines({ recipients, datasets }: KeysReport): string[] {
  const of = (what: string, some: KeysReport['recipients']): string[] =>
    some.map(({ name, id, recipient }) => {
      const kind = recipient.startsWith('age1pq1') ? 'hybrid' : 'classical';
      return `Recipient ${id} of ${what}: ${clean(name) || '(no name)'}, ${kind}.`;
    });
  return [
    ...of('all datasets', recipients),
    ...datasets.flatMap((dataset) => of(clean(dataset.name), dataset.recipients)),
  ];
}

function escrowLines({ escrow }: KeysReport): string[] {
  if (escrow === undefined) return ['The kit is not split among custodians.'];
  const { threshold, custodians, isOutdated, timeMs } = escrow;
  const state = isOutdated ? ', of a kit that was replaced' : '';
  return [
    `The kit is split: any ${threshold} of ${counted(custodians.length, 'share')} make it${state} (since ${formatTime(timeMs)}).`,
    ...custodians.map(({ share, name, provedMs, dueMs, isOverdue }) => {
      const shown = provedMs === undefined ? 'never shown' : `shown ${formatTime(provedMs)}`;
      const due = isOverdue ? 'OVERDUE since' : 'due';
      return `  share ${share}  ${clean(name)}: ${shown}, ${due} ${formatTime(dueMs)}`;
    }),
  ];
}

async function rotate(context: CliContext, dataset: string, flags: RotateFlags): Promise<void> {
  const { output, backend, stateDir, stateFlag } = context;
  const isFresh = flags.fresh === true;
  const { name, epoch } = await backend.control(stateDir).rotateKey({ dataset, isFresh });
  if (output.isJson) return output.json(message('key_rotated', { dataset: name, epoch, isFresh }));
  await output.print(
    `Packs of ${clean(name)} are sealed to a new key from now on: epoch ${epoch}.`,
  );
  await output.remark(
    isFresh
      ? `The next backup stores everything anew: holdfast backup --dataset ${name} PATH${stateFlag}`
      : 'Snapshots go on using what is stored already, under the older key; --fresh would part with it.',
  );
}

async function destroy(context: CliContext, name: string, flags: DestroyFlags): Promise<void> {
  const { output, stateFlag } = context;
  const dataset = await findKeys(context, name);
  const epoch = dataset.epochs.find((one) => one.epoch === flags.epoch);
  const what = `key epoch ${flags.epoch} of ${dataset.name}`;
  if (epoch === undefined) {
    throw new HoldfastError('not-found', `there is no ${what}`, {
      next: `holdfast key list${stateFlag}`,
    });
  }
  refuseDestroy(dataset, epoch, { what, flags, stateFlag });
  const count = counted(epoch.snapshots, 'snapshot');
  await confirm(context, {
    warning: `${count} of ${dataset.name} will be lost for ever: nobody, not even with the recovery kit, opens them again.`,
    word: dataset.name,
    isSure: flags.yes === true,
  });
  const report = await submitAsOperator(context, flags, {
    kind: 'key-destroy',
    writer: dataset.writer as AgentKey,
    dataset: dataset.id as DatasetId,
    epoch: flags.epoch,
    reason: flags.reason,
  });
  const after = await findKeys(context, dataset.id);
  const isDestroyed = after.epochs.some((one) => one.epoch === flags.epoch && one.destroyed);
  await printApplied(context, report, {
    ...{ dataset: dataset.name, epoch: flags.epoch, isDestroyed },
  });
  if (output.isJson) return;
  await output.print(
    isDestroyed
      ? `${clean(what)} is destroyed: ${count} shredded. Members delete its record.`
      : `${clean(what)} will be destroyed when the policy's destructiveDelay has passed; until then an auditor's veto stops it.`,
  );
}

function refuseDestroy(
  dataset: DatasetKeys,
  epoch: KeyEpochReport,
  { what, flags, stateFlag }: { what: string; flags: DestroyFlags; stateFlag: string },
): void {
  if (epoch.record === 'destroyed') {
    throw new HoldfastError('not-permitted', `${what} was destroyed already`, {
      next: `holdfast key list${stateFlag}`,
    });
  }
  if (epoch.record === 'statement') {
    throw new HoldfastError(
      'not-permitted',
      `${what} is from before key records: its key stands in a statement that cannot be deleted`,
      { next: `holdfast key rotate ${dataset.name} --fresh${stateFlag}` },
    );
  }
  if (epoch.complianceUntilMs !== undefined) {
    const until = formatTime(epoch.complianceUntilMs);
    throw new HoldfastError(
      'not-permitted',
      `${what} opens snapshots with a compliance lock until ${until}: nobody ends such a lock`,
      {
        next: `wait until then; which they are: holdfast snapshots --dataset ${dataset.name}${stateFlag}`,
      },
    );
  }
  if (flags.includingNewer === true) return;
  if (epoch.isCurrent || epoch.isNeededByNewest) {
    const who = epoch.isCurrent ? 'it is the current one' : 'the newest snapshot needs it';
    throw new HoldfastError('in-use', `${what} is still needed: ${who}`, {
      next: `holdfast key rotate ${dataset.name} --fresh${stateFlag}, back up, then destroy it; or add --including-newer`,
    });
  }
  if (epoch.snapshotsLater > 0) {
    const count = counted(epoch.snapshotsLater, 'snapshot');
    throw new HoldfastError('in-use', `${what} opens ${count} of later epochs too`, {
      next: 'to shred these as well: --including-newer; the newest snapshot does without it',
    });
  }
}
