import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { BackupEvent, BackupRequest, BackupSummary, RefusalReport } from '../../agent/api.ts';
import { expelled } from '../../agent/expelled.ts';
import { formatElapsed, formatSize } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type CompressionMode, compressionModes } from '../../core/policy/compression.ts';
import type { Register } from '../action.ts';
import { annotationArgument, repeated, repeatedList, sizeArgument } from '../arguments.ts';
import { untilInterrupted } from '../events.ts';
import { pathFields } from '../json-fields.ts';
import type { ProgressSample } from '../progress.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type BackupFlags = {
  annotate?: Record<string, string>;
  dataset?: string;
  exclude?: string[];
  iexclude?: string[];
  excludeFile?: string[];
  excludeCaches?: true;
  excludeIfPresent?: string[];
  excludeLargerThan?: number;
  oneFileSystem?: true;
  tag?: string[];
  dryRun?: true;
  force?: true;
  compression?: CompressionMode;
};

/** Makes a snapshot. */
export function addBackup(program: Command, register: Register): void {
  const command = program
    .command('backup')
    .description('Back up paths, or a dataset of the configuration.')
    .argument('[path...]', 'what to back up')
    .option('--dataset <name>', 'the dataset: a configured one, or the name for these paths')
    .option('-e, --exclude <pattern>', 'leave out what matches; repeatable', repeated)
    .option('--iexclude <pattern>', 'the same, ignoring case; repeatable', repeated)
    .option('--exclude-file <file>', 'read patterns from a file, one a line; repeatable', repeated)
    .option('--exclude-caches', 'leave out directories tagged by a CACHEDIR.TAG')
    .option(
      '--exclude-if-present <name>',
      'leave out directories that hold this; repeatable',
      repeated,
    )
    .option('--exclude-larger-than <size>', 'leave out larger files', sizeArgument)
    .option('-x, --one-file-system', 'do not follow mounts')
    .option('--tag <tag>', 'tag the snapshot; repeatable, or separated by commas', repeatedList)
    .option(
      '--annotate <key=value>',
      'say something with it, as deploy=v1.2; repeatable',
      annotationArgument,
    )
    .option('-n, --dry-run', 'show what would be done')
    .option('-f, --force', 'read every file, even when it looks unchanged')
    .addOption(
      new Option('--compression <mode>', 'how hard to compress').choices(compressionModes),
    );
  register<BackupFlags>(command, async (context, { args, options }) => {
    const request = await requestOf(context, args, options);
    const summary = await follow(context, request);
    await report(context, summary, request.dryRun);
    if (summary.state !== 'committed' && !request.dryRun) await refuseExpelled(context);
    refuseIncomplete(context, summary, request.dryRun);
  });
}

async function requestOf(
  { cwd }: CliContext,
  paths: readonly string[],
  flags: BackupFlags,
): Promise<BackupRequest> {
  if (paths.length === 0 && flags.dataset === undefined) {
    throw new HoldfastError('usage', 'name what to back up: a path, or a configured dataset', {
      next: 'holdfast backup PATH (or --dataset NAME; holdfast config show lists them)',
    });
  }
  const listed: string[] = [];
  for (const file of flags.excludeFile ?? [])
    listed.push(...(await patternsOf(resolve(cwd, file))));
  return {
    ...(paths.length > 0 && {
      paths: paths.map((path) => Buffer.from(resolve(cwd, path)).toString('base64')),
    }),
    ...(flags.dataset !== undefined && { dataset: flags.dataset }),
    tags: flags.tag ?? [],
    ...(flags.annotate !== undefined && { annotations: flags.annotate }),
    exclude: [...(flags.exclude ?? []), ...listed],
    iexclude: flags.iexclude ?? [],
    excludeIfPresent: flags.excludeIfPresent ?? [],
    excludeCaches: flags.excludeCaches === true,
    ...(flags.excludeLargerThan !== undefined && { excludeLargerThan: flags.excludeLargerThan }),
    oneFileSystem: flags.oneFileSystem === true,
    dryRun: flags.dryRun === true,
    force: flags.force === true,
    ...(flags.compression !== undefined && { compression: flags.compression }),
  };
}

/** Empty lines and lines that begin with # say nothing. */
async function patternsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new HoldfastError('io-error', `cannot read the exclude file: ${error.message}`, {
      next: 'holdfast backup --exclude-file FILE ...',
      cause: error,
    });
  });
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

async function follow(context: CliContext, request: BackupRequest): Promise<BackupSummary> {
  const progress = startProgress(context);
  const events = context.backend.control(context.stateDir).backup(request);
  let summary: BackupSummary | undefined;
  for await (const event of untilInterrupted(events, context.signal)) {
    if (event.type === 'status') await progress.update(sampleOf(event));
    else if (event.type === 'problem') await problem(context, event);
    else if (event.type === 'notice') await notice(context, event.message);
    else summary = event.summary;
  }
  await progress.end();
  if (summary !== undefined) return summary;
  throw new HoldfastError('agent-unreachable', 'the backup ended without a result', {
    next: `holdfast status${context.stateFlag}`,
  });
}

function sampleOf(event: Extract<BackupEvent, { type: 'status' }>): ProgressSample {
  const { bytesDone, bytesTotal, current, filesDone, filesTotal } = event;
  return {
    unit: 'bytes',
    done: bytesDone,
    ...(bytesTotal !== undefined && { total: bytesTotal }),
    files: { done: filesDone, ...(filesTotal !== undefined && { total: filesTotal }) },
    current,
    json: {
      ...(filesTotal !== undefined && { total_files: filesTotal }),
      files_done: filesDone,
      ...(bytesTotal !== undefined && { total_bytes: bytesTotal }),
      bytes_done: bytesDone,
      bytes_sent: event.bytesSent,
      current_files: current === '' ? [] : [current],
    },
  };
}

async function problem(
  { output }: CliContext,
  event: Extract<BackupEvent, { type: 'problem' }>,
): Promise<void> {
  if (output.isJson) {
    await output.complainJson({
      message_type: 'error',
      error: { message: event.reason },
      during: 'backup',
      item: event.path,
      ...pathFields(event),
    });
  } else await output.complain(`${clean(event.path)}: ${clean(event.reason)}`);
}

async function notice({ output }: CliContext, text: string): Promise<void> {
  if (output.isJson) await output.json({ message_type: 'notice', text });
  else await output.remark(text);
}

async function report(
  { output, stateFlag }: CliContext,
  summary: BackupSummary,
  isDryRun: boolean,
): Promise<void> {
  if (output.isJson) return output.json(summaryLine(summary, isDryRun));
  const { snapshot, dataset, missingSites } = summary;
  await output.print(
    isDryRun
      ? `Nothing was backed up (dry run) of ${clean(dataset)}.`
      : `snapshot ${snapshot.slice(0, 8)} of ${clean(dataset)}: ${summary.state}`,
  );
  if (output.isQuiet) return;
  const { filesNew, filesChanged, filesUnmodified, files, directories, others } = summary;
  const count = (value: number): string => value.toLocaleString('en-US');
  await output.print(
    `  files   ${count(filesNew)} new, ${count(filesChanged)} changed, ${count(filesUnmodified)} unmodified` +
      ` (${counted(files, 'file')}, ${counted(directories, 'directory', 'directories')}, ${count(others)} others)`,
    `  data    ${formatSize(summary.bytes)} in all, ${formatSize(summary.bytesRead)} read,` +
      ` ${formatSize(summary.bytesAdded)} new, ${formatSize(summary.bytesStored)} stored`,
    `  time    ${formatElapsed(summary.durationMs)}`,
  );
  if (summary.words !== '') await output.print(`  safety  ${clean(summary.words)}`);
  if (summary.packsRecoded !== undefined) {
    const packs = counted(summary.packsRecoded, 'older pack');
    await output.print(`  recoded ${packs} made anew with the code of today`);
  }
  if (summary.packsRepacked !== undefined) {
    const packs = counted(summary.packsRepacked, 'mostly dead pack');
    await output.print(`  repack  ${packs} given up: what is needed of them was stored anew`);
  }
  if (summary.filesUnstable > 0) {
    await output.print(`  ${counted(summary.filesUnstable, 'file')} changed while being read`);
  }
  if (missingSites.length > 0) {
    await output.print(`  still to be delivered to: ${clean(missingSites.join(', '))}`);
  }
  // Else the error names them.
  const isWhole = summary.state === 'committed' && missingSites.length === 0;
  for (const one of isWhole ? summary.refusals : []) {
    await output.print(`  refused by ${clean(refusalWords(one))}`);
  }
  if (summary.quarantine !== undefined) {
    const { by, reason } = summary.quarantine;
    await output.print(
      output.style(`  in quarantine, by ${clean(by)}: ${clean(reason)}`, 'yellow'),
      `  nothing of it expires until an operator has looked: holdfast quarantine list${stateFlag}`,
    );
  }
}

function refusalWords({ peer, site, reason }: RefusalReport): string {
  return `${peer} (site ${site}): ${reason}`;
}

/** Names as in restic's scripts, and ours beside them. */
function summaryLine(summary: BackupSummary, isDryRun: boolean): object {
  return {
    message_type: 'summary',
    dry_run: isDryRun,
    snapshot_id: summary.snapshot,
    dataset: summary.dataset,
    state: summary.state,
    missing_sites: summary.missingSites,
    refusals: summary.refusals,
    ...(summary.quarantine !== undefined && { quarantine: summary.quarantine }),
    words: summary.words,
    files_new: summary.filesNew,
    files_changed: summary.filesChanged,
    files_unmodified: summary.filesUnmodified,
    files_unstable: summary.filesUnstable,
    total_files_processed: summary.files,
    total_directories_processed: summary.directories,
    total_others_processed: summary.others,
    total_bytes_processed: summary.bytes,
    total_bytes_read: summary.bytesRead,
    data_added: summary.bytesAdded,
    data_stored: summary.bytesStored,
    ...(summary.packsRecoded !== undefined && { packs_recoded: summary.packsRecoded }),
    ...(summary.packsRepacked !== undefined && { packs_repacked: summary.packsRepacked }),
    error_count: summary.problems,
    total_duration: summary.durationMs / secondMs,
    ...(summary.loopDelayP99Ms !== undefined && {
      loop_delay_p99_ms: Math.round(summary.loopDelayP99Ms * 10) / 10,
    }),
  };
}

/** Who was put out while it ran is told so, and not merely that others took nothing. */
async function refuseExpelled({ backend, stateDir }: CliContext): Promise<void> {
  const { expulsion } = await backend.control(stateDir).status();
  if (expulsion !== undefined) throw expelled(expulsion);
}

/** The snapshot exists, but a script must learn that it is not all that was asked for. */
function refuseIncomplete(context: CliContext, summary: BackupSummary, isDryRun: boolean): void {
  const { state, missingSites, refusals } = summary;
  const next = nextAfter(context, summary);
  const why = refusals.length === 0 ? '' : `; ${refusals.map(refusalWords).join('; ')}`;
  if (!isDryRun && state !== 'committed') {
    const message = `the snapshot is ${state}, not committed: it may not survive yet${why}`;
    throw new HoldfastError(isOverBudget(summary) ? 'over-budget' : 'not-committed', message, {
      next,
    });
  }
  if (!isDryRun && missingSites.length > 0) {
    const message = `the snapshot is committed, but below policy until ${missingSites.join(', ')} hold their shards${why}`;
    throw new HoldfastError(isOverBudget(summary) ? 'over-budget' : 'below-policy', message, {
      next,
    });
  }
  if (summary.problems > 0) {
    const message = `${counted(summary.problems, 'problem')}: the snapshot lacks what is named above`;
    throw new HoldfastError('partial', message, {
      next: 'mend what is named above, then back up again',
    });
  }
}

function isOverBudget({ refusals }: BackupSummary): boolean {
  return refusals.some(({ code }) => code === 'over-budget');
}

function nextAfter({ stateFlag }: CliContext, summary: BackupSummary): string {
  if (!isOverBudget(summary)) return `holdfast status${stateFlag}`;
  return `holdfast policy show${stateFlag}; operators raise the budget: holdfast policy propose FILE${stateFlag}. What waits is delivered by itself once it fits`;
}
