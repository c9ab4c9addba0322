import type { DrillCriterion, DrillReport, DrillTimes } from '../../../core/policy/drill-report.ts';
import type { Sandbox } from './sandbox.ts';

/** What a scenario tells while it goes, in words for people. */
export type Step = string;

/** What became of it. */
export type Findings = {
  readonly times: Pick<DrillTimes, 'detectMs' | 'containMs' | 'recoverMs' | 'rpoMs'>;
  /** What must hold beside that everything came back as it was. */
  readonly criteria: readonly DrillCriterion[];
  /** Of the restore at its end. */
  readonly restored: DrillReport;
};

/** Makes one fault in a sandbox whose data is backed up, watches what the cluster does, and restores. */
export type Scenario = (sandbox: Sandbox) => AsyncGenerator<Step, Findings>;

/** A clock that starts with the fault. */
export function sinceNow(): () => number {
  const startMs = performance.now();
  return () => Math.round(performance.now() - startMs);
}

export function criterion(name: string, isMet: boolean, detail: string): DrillCriterion {
  return { name, isMet, detail };
}

/** "0.8 s", "12.3 s". */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Age of the newest committed snapshot at a moment that lies `agoMs` back. */
export async function ageOfNewest(
  sandbox: Sandbox,
  { at, agoMs }: { at: string; agoMs: number },
): Promise<number | undefined> {
  const snapshots = await sandbox.processes.api(at).snapshots({});
  const newest = snapshots.findLast(({ state }) => state === 'committed');
  return newest === undefined ? undefined : Math.max(0, Date.now() - agoMs - newest.timeMs);
}
