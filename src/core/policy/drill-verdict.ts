import { formatElapsed, formatSpan } from '../../base/quantity.ts';
import type {
  DrillCriterion,
  DrillFidelity,
  DrillOutcome,
  DrillReport,
  DrillTimes,
} from './drill-report.ts';
import type { Objectives } from './policy-terms.ts';

export type DrillFacts = {
  readonly objectives: Objectives;
  readonly times: DrillTimes;
  readonly isRtoReckoned: boolean;
  readonly restored: NonNullable<DrillReport['restored']>;
  readonly fidelity: DrillFidelity;
  readonly checks: readonly DrillCheck[];
};

export type DrillCheck = {
  readonly kind: string;
  readonly outcome: 'healthy' | 'sick' | 'skipped';
};

/** What a restore must have shown, and whether it did. Objectives that nobody has set are not judged. */
export function judgeDrill(facts: DrillFacts): {
  criteria: DrillCriterion[];
  outcome: DrillOutcome;
} {
  const must = [completeness(facts), identity(facts), ...health(facts.checks), ...live(facts)];
  const objectives = [...rpo(facts), ...rto(facts)];
  return { criteria: [...must, ...objectives], outcome: outcomeOf(must, objectives) };
}

/** `must`: without these the restore has failed, however fast it was. */
export function outcomeOf(
  must: readonly DrillCriterion[],
  objectives: readonly DrillCriterion[],
): DrillOutcome {
  if (must.some(({ isMet }) => !isMet)) return 'failed';
  return objectives.some(({ isMet }) => !isMet) ? 'missed' : 'passed';
}

function completeness({ restored: { lost, files } }: DrillFacts): DrillCriterion {
  const detail = lost === 0 ? `${files} files restored` : `${lost} files could not be had`;
  return { name: 'complete', isMet: lost === 0, detail };
}

function identity({ fidelity }: DrillFacts): DrillCriterion {
  const { mismatches, entries, chunks, limited } = fidelity;
  const but = limited === 0 ? '' : `; ${limited} without owner or attributes, which need root`;
  const detail =
    mismatches === 0
      ? `${entries} entries and ${chunks} chunk digests are those of the snapshot${but}`
      : `${mismatches} of ${entries} entries are not as in the snapshot`;
  return { name: 'identical', isMet: mismatches === 0, detail };
}

function live({ fidelity: { liveDifferences } }: DrillFacts): DrillCriterion[] {
  if (liveDifferences === undefined) return [];
  const detail =
    liveDifferences === 0 ? 'as the live files' : `${liveDifferences} differ from the live files`;
  return [{ name: 'live', isMet: liveDifferences === 0, detail }];
}

function health(checks: readonly DrillCheck[]): DrillCriterion[] {
  return checks.map(({ kind, outcome }, i) => ({
    name: `check ${i + 1} (${kind})`,
    isMet: outcome !== 'sick',
    detail: outcome,
  }));
}

function rpo({ objectives, times: { rpoMs } }: DrillFacts): DrillCriterion[] {
  if (objectives.rpoMs === undefined) return [];
  const target = formatSpan(objectives.rpoMs);
  if (rpoMs === undefined) {
    return [{ name: 'RPO', isMet: false, detail: `nothing is committed, target ${target}` }];
  }
  const detail = `${formatSpan(rpoMs)}, target ${target}`;
  return [{ name: 'RPO', isMet: rpoMs <= objectives.rpoMs, detail }];
}

function rto({ objectives, times: { rtoMs }, isRtoReckoned }: DrillFacts): DrillCriterion[] {
  if (objectives.rtoMs === undefined || rtoMs === undefined) return [];
  const about = isRtoReckoned ? 'about ' : '';
  const detail = `${about}${formatElapsed(rtoMs)}, target ${formatSpan(objectives.rtoMs)}`;
  return [{ name: 'RTO', isMet: rtoMs <= objectives.rtoMs, detail }];
}
