import type { Command } from 'commander';
import type { SnapshotReport } from '../../agent/api.ts';
import { formatSize } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import type { Register } from '../action.ts';
import { repeatedList } from '../arguments.ts';
import { kitFileOf, openSession, type RecoveryFlags, recoveryOptions } from '../recovery.ts';
import { sortByHistory } from '../snapshot-order.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type SnapshotsFlags = RecoveryFlags & { dataset?: string; tag?: string[]; suspect?: true };

/** What there is to restore: asked of the local agent, or with a kit of any member. */
export function addSnapshots(program: Command, register: Register): void {
  const command = program
    .command('snapshots')
    .description('List snapshots: as the local agent knows them, or with the recovery kit.')
    .option('--dataset <name>', 'only of this dataset')
    .option('--tag <tag>', 'only with this tag; repeatable, or separated by commas', repeatedList)
    .option('--suspect', 'only those that tripwires have marked and nobody has cleared');
  register<SnapshotsFlags>(recoveryOptions(command), async (context, { options }) => {
    const all = await snapshotsOf(context, options);
    const isWanted = ({ suspicion }: SnapshotReport): boolean =>
      options.suspect !== true || suspicion?.state === 'suspect';
    const snapshots = all.filter(isWanted);
    sortByHistory(snapshots);
    if (context.output.isJson) await context.output.json(snapshots.map(snapshotFields));
    else await print(context, snapshots);
  });
}

async function snapshotsOf(context: CliContext, flags: SnapshotsFlags): Promise<SnapshotReport[]> {
  const filter = {
    ...(flags.dataset !== undefined && { dataset: flags.dataset }),
    ...(flags.tag !== undefined && { tags: flags.tag }),
  };
  if (kitFileOf(context, flags) === undefined) {
    return context.backend.control(context.stateDir).snapshots(filter);
  }
  await using session = await openSession(context, flags);
  return await session.snapshots(filter);
}

async function print({ output }: CliContext, snapshots: readonly SnapshotReport[]): Promise<void> {
  const hasLines = snapshots.some(({ incarnation, line }) => incarnation > 0 || line === 'side');
  if (snapshots.length > 0) {
    await output.table(
      [
        { title: 'ID' },
        { title: 'TIME' },
        { title: 'DATASET' },
        { title: 'HOST' },
        { title: 'TAGS' },
        { title: 'STATE' },
        ...(hasLines ? [{ title: 'INCARNATION' }] : []),
        { title: 'KEPT' },
        { title: 'FILES', align: 'right' },
        { title: 'SIZE', align: 'right' },
        { title: 'ADDED', align: 'right' },
      ],
      snapshots.map((snapshot) => [
        snapshot.shortId,
        formatTime(snapshot.timeMs),
        snapshot.dataset,
        snapshot.host,
        clean([...snapshot.tags, ...annotationWords(snapshot)].join(',')),
        stateCell(snapshot),
        ...(hasLines ? [lineCell(snapshot)] : []),
        keptCell(snapshot),
        snapshot.files.toLocaleString('en-US'),
        formatSize(snapshot.bytes),
        formatSize(snapshot.bytesAdded),
      ]),
    );
  }
  await output.print(counted(snapshots.length, 'snapshot'));
}

/** Under which it was written; beside what the live copy has come from, or in it. */
function lineCell({ incarnation, line, source }: SnapshotReport): Cell {
  const text = `${incarnation} at ${source}`;
  return line === 'main' ? text : { text: `${text}, side line`, style: 'yellow' };
}

function stateCell({ state, suspicion, isShredded }: SnapshotReport): Cell {
  if (isShredded === true) return { text: 'shredded', style: 'red' };
  if (suspicion?.state === 'suspect') return { text: `${state}, SUSPECT`, style: 'red' };
  if (suspicion?.state === 'after-suspect') {
    return { text: `${state}, after a suspect one`, style: 'yellow' };
  }
  return state === 'committed' ? state : { text: state, style: 'yellow' };
}

/** What keeps it, or where on its way out it is. */
function keptCell({ keeping }: SnapshotReport): Cell {
  if (keeping === undefined) return '-';
  const { stage, stageEndsMs, lock, hold } = keeping;
  if (hold !== undefined) return 'held';
  const until = stageEndsMs === undefined ? '' : ` until ${formatTime(stageEndsMs)}`;
  if (stage === 'trash') return { text: `in the trash${until}`, style: 'red' };
  if (stage === 'veto') return { text: `on its way out${until}`, style: 'yellow' };
  if (stage === 'proposed' || stage === 'forgotten') return { text: stage, style: 'yellow' };
  return lock === undefined ? '-' : `locked to ${formatTime(lock.untilMs)}`;
}

function annotationWords({ annotations = {} }: SnapshotReport): string[] {
  return Object.entries(annotations).map(([key, value]) => `${key}=${value}`);
}

/** Names as in restic's scripts, and ours beside them. */
function snapshotFields(snapshot: SnapshotReport): object {
  return {
    id: snapshot.id,
    short_id: snapshot.shortId,
    time: new Date(snapshot.timeMs).toISOString(),
    hostname: snapshot.host,
    source: snapshot.source,
    dataset: snapshot.dataset,
    sequence: snapshot.sequence,
    incarnation: snapshot.incarnation,
    line: snapshot.line,
    state: snapshot.state,
    ...(snapshot.isShredded === true && { shredded: true }),
    tags: snapshot.tags,
    ...(snapshot.annotations !== undefined && { annotations: snapshot.annotations }),
    ...(snapshot.suspicion !== undefined && { suspicion: snapshot.suspicion }),
    ...(snapshot.keeping !== undefined && { keeping: snapshot.keeping }),
    ...(snapshot.paths !== undefined && { paths: snapshot.paths }),
    summary: {
      files_new: snapshot.filesNew,
      files_changed: snapshot.filesChanged,
      files_unstable: snapshot.filesUnstable,
      data_added: snapshot.bytesAdded,
      total_files_processed: snapshot.files,
      total_directories_processed: snapshot.directories,
      total_bytes_processed: snapshot.bytes,
      total_duration: snapshot.durationMs / secondMs,
    },
  };
}
