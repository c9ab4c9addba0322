import type { RestoreEvent, RestoreRequest, RestoreSummary } from '../../agent/api.ts';
import { formatElapsed, formatSize } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { untilInterrupted } from '../events.ts';
import { pathFields } from '../json-fields.ts';
import type { ProgressSample } from '../progress.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** Shows how a restore goes on, until its end. @throws HoldfastError failed, and whatever the restore throws */
export async function followRestore(
  context: CliContext,
  events: AsyncIterable<RestoreEvent>,
): Promise<RestoreSummary> {
  const { output, signal } = context;
  const progress = startProgress(context);
  let summary: RestoreSummary | undefined;
  for await (const event of untilInterrupted(events, signal)) {
    if (event.type === 'status') await progress.update(sampleOf(event));
    else if (event.type === 'problem') await problem(context, event);
    else if (event.type === 'summary') summary = event.summary;
    else if (output.isJson) await output.json(noticeLine(event));
    else await output.remark(event.message);
  }
  await progress.end();
  if (summary !== undefined) return summary;
  throw new HoldfastError('failed', 'the restore ended without a result', {
    next: 'run it again: what is restored already is kept',
  });
}

function noticeLine({ message, cold }: Extract<RestoreEvent, { type: 'notice' }>): object {
  const line = { message_type: 'notice', text: message };
  if (cold === undefined) return line;
  const { packs, packsInAll, bytes, delayMs, costs, unpriced, hosts } = cold;
  const facts = { packs, packs_in_all: packsInAll, bytes, delay_ms: delayMs };
  return { ...line, cold: { ...facts, costs, unpriced_hosts: unpriced, hosts } };
}

function sampleOf(event: Extract<RestoreEvent, { type: 'status' }>): ProgressSample {
  const { bytesDone, bytesTotal, current, filesDone, filesTotal } = event;
  return {
    unit: 'bytes',
    done: bytesDone,
    total: bytesTotal,
    files: { done: filesDone, total: filesTotal },
    current,
    json: {
      total_files: filesTotal,
      files_restored: filesDone,
      total_bytes: bytesTotal,
      bytes_restored: bytesDone,
      current_files: current === '' ? [] : [current],
    },
  };
}

async function problem(
  { output }: CliContext,
  event: Extract<RestoreEvent, { type: 'problem' }>,
): Promise<void> {
  if (output.isJson) {
    await output.complainJson({
      message_type: 'error',
      error: { message: event.reason },
      during: 'restore',
      item: event.path,
      ...pathFields(event),
      is_lost: event.isLost,
    });
    return;
  }
  const lost = event.isLost ? `${output.style('LOST', 'red')} ` : '';
  await output.complain(`${lost}${clean(event.path)}: ${clean(event.reason)}`);
}

/** What was restored, for people or as JSON. */
export async function reportRestore(
  { output }: CliContext,
  summary: RestoreSummary,
  request: RestoreRequest,
): Promise<void> {
  if (output.isJson) return output.json(summaryLine(summary, request));
  const { bytes, directories, durationMs, files, others, sites } = summary;
  const what = `${counted(files, 'file')}, ${counted(directories, 'directory', 'directories')}, ${counted(others, 'other')}`;
  const where = clean(request.target);
  await output.print(
    request.dryRun
      ? `Would restore ${what} (${formatSize(bytes)}) of snapshot ${summary.snapshot.slice(0, 8)} to ${where}.`
      : `Restored ${what} (${formatSize(bytes)}) of snapshot ${summary.snapshot.slice(0, 8)} to ${where}.`,
  );
  if (output.isQuiet) return;
  const from = sites.length === 0 ? '' : ` from ${clean(sites.join(', '))}`;
  const { packsDecoded } = summary;
  const computed =
    packsDecoded === 0 ? '' : `; ${counted(packsDecoded, 'pack')} computed from other shards`;
  await output.print(
    `  fetched ${formatSize(summary.bytesFetched)}${from}${computed}`,
    `  time    ${formatElapsed(durationMs)}`,
  );
  if (summary.filesSkipped > 0) {
    await output.print(`  skipped ${counted(summary.filesSkipped, 'file')} already there`);
  }
}

/** Names as in restic's scripts, and ours beside them. */
function summaryLine(summary: RestoreSummary, request: RestoreRequest): object {
  return {
    message_type: 'summary',
    dry_run: request.dryRun,
    snapshot_id: summary.snapshot,
    target: request.target,
    seconds_elapsed: summary.durationMs / secondMs,
    files_restored: summary.files,
    directories_restored: summary.directories,
    others_restored: summary.others,
    files_skipped: summary.filesSkipped,
    files_lost: summary.filesLost,
    error_count: summary.problems,
    bytes_restored: summary.bytes,
    bytes_fetched: summary.bytesFetched,
    packs_decoded: summary.packsDecoded,
    sites: summary.sites,
  };
}

/** What could be had is there, but a script must learn that it is not everything. */
export function refuseIncomplete(
  summary: RestoreSummary,
  request: RestoreRequest,
  next = 'bring more members up (or name them: --peer ADDRESS), then run it again with --allow-non-empty --overwrite if-changed',
): void {
  if (summary.filesLost > 0) {
    const message = `${counted(summary.filesLost, 'file')} could not be had from the members that answer; the others are restored`;
    throw new HoldfastError('too-few-shards', message, {
      next,
    });
  }
  if (summary.problems > 0) {
    const message = `every file is restored, but ${counted(summary.problems, 'problem')} with attributes`;
    throw new HoldfastError('partial', message, {
      next: `see the messages above; owners and some attributes need root: ${request.target}`,
    });
  }
}
