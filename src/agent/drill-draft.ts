import { type DrillReport, encodeDrillReport } from '../core/policy/drill-report.ts';
import { judgeDrill } from '../core/policy/drill-verdict.ts';
import type { DatasetRecord, Roster } from '../core/protocol/roster.ts';
import type { DrillResult } from '../services/drill/drill-run.ts';
import type { DrillSubject, DrillTerms } from './drill-types.ts';

export type DrillFrame = {
  readonly kind: DrillReport['kind'];
  readonly authority: DrillReport['authority'];
  readonly terms: DrillTerms;
  readonly dataset: DatasetRecord;
  readonly roster: Pick<Roster, 'member'>;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Undefined: no snapshot of the dataset is committed. */
  readonly rpoMs: number | undefined;
  /** Sites that it was done without. */
  readonly without?: readonly string[];
};

/** The report of a drill, as it will be signed. */
export function draftReport(result: DrillResult, frame: DrillFrame): DrillReport {
  const { terms, dataset, roster, rpoMs, without } = frame;
  const { record, scope, isRtoReckoned, restored, sites, fidelity } = result;
  const times = { ...result.times, ...(rpoMs === undefined ? {} : { rpoMs }) };
  const lacking = without === undefined ? {} : { without };
  const verdict = judgeDrill({ ...result, ...lacking, times, objectives: terms.objectives });
  const { files, bytes } = record.manifest.totals;
  const report: DrillReport = {
    version: 1,
    kind: frame.kind,
    where: 'cluster',
    ...{ cluster: terms.cluster, agent: terms.agent, authority: frame.authority },
    ...{ startedMs: Math.round(frame.startedMs), endedMs: Math.round(frame.endedMs) },
    dataset: drillSubject(dataset, roster),
    snapshot: { id: record.hash, timeMs: record.statement.timeMs, files, bytes },
    scope,
    objectives: terms.objectives,
    policyVersion: terms.policyVersion,
    approvals: terms.approvals,
    ...{ times, isRtoReckoned, restored, sites: [...sites], ...lacking, fidelity },
    ...verdict,
    isolation:
      'a new directory of mode 0700 that nothing else uses; commands did not run unless a check says so',
  };
  // It must be possible to sign it: what is not whole numbers and plain data shows here.
  encodeDrillReport(report);
  return report;
}

/** What a report says of a dataset. Its source may have been put out. */
export function drillSubject(
  { name, id, writer }: DatasetRecord,
  roster: Pick<Roster, 'member'>,
): DrillSubject {
  const source = roster.member(writer);
  return { name, id, source: source?.name ?? '', sourceSite: source?.site ?? '' };
}
