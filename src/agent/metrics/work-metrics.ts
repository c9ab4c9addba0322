import { counter, gauge, type MetricFamily } from '../../base/metric-text.ts';
import { secondMs } from '../../base/units.ts';
import type { LoopWatch } from '../../ports/loop-watch.ts';
import type { BackupProgress, BackupResult } from '../../services/backup.ts';
import type { Agent } from '../agent.ts';
import { countBy } from './control-metrics.ts';

/** What this host has done since its agent has started. */
export function workMetrics(agent: Agent): MetricFamily[] {
  const { tally, drills, backup } = agent;
  const own = drills.history
    .all()
    .filter(({ record }) => record.statement.writer === agent.member().agentKey)
    .map(({ report }) => report.outcome);
  return [
    counter(
      'holdfast_backup_runs_total',
      'Backups of this host by how they ended.',
      tally.of('backup-runs'),
    ),
    counter(
      'holdfast_backup_seconds_total',
      'Time that backups of this host took.',
      tally.of('backup-seconds'),
    ),
    counter(
      'holdfast_backup_bytes_total',
      'Bytes of backups by stage: scanned, read, sealed, placed.',
      tally.of('backup-bytes'),
    ),
    counter(
      'holdfast_backup_files_total',
      'Files of backups: new, changed, unmodified, unstable, in trouble.',
      tally.of('backup-files'),
    ),
    gauge('holdfast_backups_running', 'Backups under way here.', backup.isRunning ? 1 : 0),
    counter('holdfast_drills_total', 'Drills that this host has signed.', countBy(own, 'outcome')),
  ];
}

/** Counts a backup of this host as it goes. */
export function countBackup(agent: Agent, dataset: string, progress: BackupProgress): void {
  if (progress.kind === 'problem') agent.tally.add('backup-files', { dataset, state: 'problem' });
  if (progress.kind === 'done') countResult(agent, dataset, progress.result);
}

function countResult({ tally }: Agent, dataset: string, result: BackupResult): void {
  const { counts, durability } = result;
  tally.add('backup-runs', { dataset, outcome: durability?.state ?? 'dry-run' });
  tally.add('backup-seconds', { dataset }, result.durationMs / secondMs);
  const stages = {
    scanned: counts.bytes,
    read: counts.bytesRead,
    sealed: result.bytesAdded,
    placed: result.bytesStored,
  };
  for (const [stage, bytes] of Object.entries(stages)) {
    tally.add('backup-bytes', { dataset, stage }, bytes);
  }
  const { filesNew, filesChanged, filesUnmodified, filesUnstable } = counts;
  const files = {
    new: filesNew,
    changed: filesChanged,
    unmodified: filesUnmodified,
    unstable: filesUnstable,
  };
  for (const [state, count] of Object.entries(files)) {
    tally.add('backup-files', { dataset, state }, count);
  }
}

/** How late the thread is: in the minute before, or since then. */
export class LoopMetrics implements Disposable {
  readonly #watch: () => LoopWatch;
  readonly #monotonicMs: () => number;
  #current: LoopWatch;
  #sinceMs: number;

  constructor(watch: () => LoopWatch, monotonicMs: () => number) {
    this.#watch = watch;
    this.#monotonicMs = monotonicMs;
    this.#current = watch();
    this.#sinceMs = monotonicMs();
  }

  families(): MetricFamily[] {
    const value = this.#current.p99Ms() / secondMs;
    if (this.#monotonicMs() - this.#sinceMs > 60 * secondMs) {
      this.#current[Symbol.dispose]();
      this.#current = this.#watch();
      this.#sinceMs = this.#monotonicMs();
    }
    const help =
      'How late the agent’s thread was, 99th percentile since a minute ago at the least.';
    return [gauge('holdfast_event_loop_delay_p99_seconds', help, value)];
  }

  [Symbol.dispose](): void {
    this.#current[Symbol.dispose]();
  }
}
