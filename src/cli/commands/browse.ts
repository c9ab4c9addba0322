import type { Command } from 'commander';
import type { DiffReport } from '../../agent/api.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { parseSnapshotPath, type SnapshotPath } from '../arguments.ts';
import { entryFields, longLine } from '../entry-text.ts';
import { untilInterrupted } from '../events.ts';
import { openSession, type RecoveryFlags, recoveryOptions, resolveSnapshot } from '../recovery.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type DatasetFlags = RecoveryFlags & { dataset?: string };
type ListFlags = DatasetFlags & { recursive?: true; long?: true };
type FindFlags = DatasetFlags & { snapshot?: string; ignoreCase?: true };
type Call<Options> = { args: readonly string[]; options: Options };

const datasetOption = ['--dataset <name>', 'the dataset that "latest" is of'] as const;

/** ls, find, diff, dump. */
export function addBrowse(program: Command, register: Register): void {
  const listCommand = program
    .command('ls')
    .description('List what a snapshot holds.')
    .argument('<snapshot>', 'SNAP or SNAP:PATH; SNAP is an id or "latest"', parseSnapshotPath)
    .option('-r, --recursive', 'and what is below')
    .option('-l, --long', 'with mode, owner, size and time')
    .option(...datasetOption);
  register<ListFlags>(recoveryOptions(listCommand), list);
  const findCommand = program
    .command('find')
    .description('Find files by name or path.')
    .argument('<pattern>', 'a pattern as in .gitignore')
    .option('--snapshot <id>', 'only in this snapshot, an id or "latest" (default: in all)')
    .option('-i, --ignore-case', 'ignore case')
    .option(...datasetOption);
  register<FindFlags>(recoveryOptions(findCommand), find);
  const diffCommand = program
    .command('diff')
    .description(
      'Show what differs between two snapshots: + - added, removed; M U T content, metadata, type.',
    )
    .argument('<snapshot1>', 'SNAP or SNAP:PATH', parseSnapshotPath)
    .argument('<snapshot2>', 'SNAP', parseSnapshotPath)
    .option(...datasetOption);
  register<DatasetFlags>(recoveryOptions(diffCommand), diff);
  const dumpCommand = program
    .command('dump')
    .description("Write a file's bytes to standard output.")
    .argument('<file>', 'SNAP:PATH; SNAP is an id or "latest"', parseSnapshotPath)
    .option(...datasetOption);
  register<DatasetFlags>(recoveryOptions(dumpCommand), dump);
}

async function list(context: CliContext, { args, options }: Call<ListFlags>): Promise<void> {
  const { output, signal } = context;
  const { snapshot, path } = parseSnapshotPath(args[0] ?? '');
  await using session = await openSession(context, options);
  const id = await resolveSnapshot(session, { snapshot, dataset: options.dataset });
  const entries = session.list({ snapshot: id, path, recursive: options.recursive === true });
  for await (const entry of untilInterrupted(entries, signal)) {
    if (output.isJson) await output.json(entryFields(entry));
    else await output.print(options.long === true ? longLine(entry) : clean(entry.path));
    if (output.isGone) return;
  }
}

async function find(context: CliContext, { args, options }: Call<FindFlags>): Promise<void> {
  const { output, signal } = context;
  await using session = await openSession(context, options);
  const snapshot =
    options.snapshot === undefined
      ? undefined
      : await resolveSnapshot(session, { snapshot: options.snapshot, dataset: options.dataset });
  const hits = session.find({
    ...(snapshot !== undefined && { snapshot }),
    pattern: args[0] ?? '',
    ignoreCase: options.ignoreCase === true,
  });
  for await (const hit of untilInterrupted(hits, signal)) {
    if (output.isJson) await output.json({ ...entryFields(hit), snapshot: hit.snapshot });
    else await output.print(`${hit.snapshot.slice(0, 8)}:${clean(hit.path)}`);
    if (output.isGone) return;
  }
}

const modifiers: Readonly<Record<DiffReport['change'], string>> = {
  added: '+',
  removed: '-',
  content: 'M',
  metadata: 'U',
  type: 'T',
};

async function diff(context: CliContext, { args, options }: Call<DatasetFlags>): Promise<void> {
  const { output, signal } = context;
  const [first, second] = [parseSnapshotPath(args[0] ?? ''), parseSnapshotPath(args[1] ?? '')];
  const path = onePath(first, second);
  await using session = await openSession(context, options);
  const { dataset } = options;
  const from = await resolveSnapshot(session, { snapshot: first.snapshot, dataset });
  const to = await resolveSnapshot(session, { snapshot: second.snapshot, dataset });
  const counts = { added: 0, removed: 0, content: 0, metadata: 0, type: 0 };
  for await (const report of untilInterrupted(session.diff({ from, to, path }), signal)) {
    counts[report.change]++;
    const modifier = modifiers[report.change];
    if (output.isJson) await output.json({ message_type: 'change', ...report, modifier });
    else await output.print(`${modifier}    ${clean(report.path)}`);
    if (output.isGone) return;
  }
  if (output.isJson) await output.json({ message_type: 'summary', ...counts });
  else {
    await output.remark(
      `${counts.added} added, ${counts.removed} removed, ${counts.content} changed in content,` +
        ` ${counts.metadata} in metadata, ${counts.type} in type`,
    );
  }
}

/** Both sides are compared at one path, written once or twice. */
function onePath(first: SnapshotPath, second: SnapshotPath): string {
  if (first.path === '/' || second.path === first.path) return second.path;
  if (second.path === '/') return first.path;
  throw new HoldfastError('usage', 'both snapshots are compared at the same path', {
    next: `holdfast diff ${first.snapshot}:${first.path} ${second.snapshot}`,
  });
}

async function dump(context: CliContext, { args, options }: Call<DatasetFlags>): Promise<void> {
  const { output, signal } = context;
  const { snapshot, path } = parseSnapshotPath(args[0] ?? '');
  if (path === '/') {
    throw new HoldfastError('usage', 'name the file in the snapshot', {
      next: `holdfast dump ${snapshot}:/PATH (holdfast ls ${snapshot} lists them)`,
    });
  }
  await using session = await openSession(context, options);
  const id = await resolveSnapshot(session, { snapshot, dataset: options.dataset });
  const parts = session.dump({ snapshot: id, path });
  for await (const part of untilInterrupted(parts, signal)) {
    await output.bytes(part);
    if (output.isGone) return;
  }
}
