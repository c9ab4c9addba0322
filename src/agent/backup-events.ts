import type { BackupJob, BackupProgress } from '../services/backup.ts';
import { aroundStage } from '../services/stage-hooks.ts';
import type { Agent } from './agent.ts';
import type { BackupEvent, BackupRequest } from './api.ts';
import { auditBackup } from './audit-api.ts';
import { countBackup } from './metrics/work-metrics.ts';
import { quarantineReports } from './keeping-report.ts';
import { pathFields } from './path-fields.ts';
import { refusalReports } from './refusal-report.ts';

/** Runs a backup between its programs; whoever stops listening stops it. */
export function backupEvents(agent: Agent, request: BackupRequest): AsyncGenerator<BackupEvent> {
  const dataset = request.dataset ?? agent.member().name;
  // A dry run changes nothing, and so needs nothing stopped.
  const order = agent.stageOrder('backup', request.dryRun ? undefined : dataset);
  return aroundStage<BackupEvent>({ ...order, facts: { dataset }, learn }, (signal) =>
    events(agent, request, signal),
  );
}

function learn(event: BackupEvent): { facts?: Record<string, string>; isLast?: boolean } {
  if (event.type !== 'summary') return {};
  const { snapshot, state } = event.summary;
  return { facts: { snapshot, state }, isLast: true };
}

async function* events(
  agent: Agent,
  request: BackupRequest,
  signal: AbortSignal,
): AsyncGenerator<BackupEvent> {
  const job = await agent.backupJob(request);
  const { name } = job.own.dataset;
  let end: 'failed' | 'interrupted' | undefined = 'interrupted';
  try {
    for await (const progress of agent.backup.run(job, signal)) {
      countBackup(agent, name, progress);
      if (progress.kind === 'done') {
        end = undefined;
        auditBackup(agent, name, progress.result);
      }
      yield backupEvent(agent, job, progress);
    }
  } catch (error) {
    end = signal.aborted ? 'interrupted' : 'failed';
    throw error;
  } finally {
    if (end !== undefined) agent.tally.add('backup-runs', { dataset: name, outcome: end });
  }
}

function backupEvent(agent: Agent, { own }: BackupJob, progress: BackupProgress): BackupEvent {
  if (progress.kind === 'problem') {
    const { path, reason } = progress;
    return { type: 'problem', ...pathFields(path), reason };
  }
  if (progress.kind === 'status') {
    const { counts, bytesSent, current, elapsedMs } = progress;
    const filesDone = counts.files;
    return { type: 'status', elapsedMs, filesDone, bytesDone: counts.bytes, bytesSent, current };
  }
  const { result } = progress;
  const { counts, record, durability } = result;
  const { name, id } = own.dataset;
  const fate = agent.control.log.state.fates.of(agent.member().agentKey, id);
  const [quarantine] = fate === undefined ? [] : quarantineReports(agent, fate);
  return {
    type: 'summary',
    summary: {
      snapshot: record?.hash ?? '',
      dataset: name,
      state: durability?.state ?? 'staged',
      missingSites: [...result.missingSites],
      refusals: refusalReports(agent, id),
      ...(quarantine && { quarantine: { by: quarantine.by, reason: quarantine.reason } }),
      words: result.words,
      files: counts.files,
      directories: counts.directories,
      others: counts.others,
      filesNew: counts.filesNew,
      filesChanged: counts.filesChanged,
      filesUnmodified: counts.filesUnmodified,
      filesUnstable: counts.filesUnstable,
      problems: result.problems,
      bytes: counts.bytes,
      bytesRead: counts.bytesRead,
      bytesAdded: result.bytesAdded,
      bytesStored: result.bytesStored,
      ...(result.packsRecoded > 0 && { packsRecoded: result.packsRecoded }),
      ...(result.packsRepacked > 0 && { packsRepacked: result.packsRepacked }),
      durationMs: result.durationMs,
      ...(result.loopDelayP99Ms !== undefined && { loopDelayP99Ms: result.loopDelayP99Ms }),
    },
  };
}
