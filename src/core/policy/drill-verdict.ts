import { formatElapsed, formatSpan } from '../../base/quantity.ts';
import type {
  DrillCriterion,
  DrillFidelity,
  DrillOutcome,
  DrillReport,
  DrillTimes,
} from './drill-report.ts';
import type { Objectives } from './objectives.ts';

export type DrillFacts = {
  readonly objectives: Objectives;
  readonly times: DrillTimes;
  readonly isRtoReckoned: boolean;
  readonly restored: NonNullable<DrillReport['restored']>;
  readonly fidelity: DrillFidelity;
  readonly checks: readonly DrillCheck[];
  /** Where bytes came from, and which sites had to be done without. */
  readonly sites: readonly string[];
  readonly without?: readonly string[];
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
  const must = [
    completeness(facts),
    identity(facts),
    ...absence(facts),
    ...health(facts.checks),
    ...live(facts),
  ];
  const objectives = judgeObjectives(facts);
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

function absence({ without, sites }: DrillFacts): DrillCriterion[] {
  if (without === undefined) return [];
  const used = without.filter((site) => sites.includes(site));
  const detail =
    used.length === 0
      ? `every byte came from ${sites.join(', ')}`
      : `bytes came from ${used.join(', ')} all the same`;
  return [{ name: `without ${without.join(', ')}`, isMet: used.length === 0, detail }];
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

/** What was measured against what the policy asks. */
export function judgeObjectives(facts: {
  readonly objectives: Objectives;
  readonly times: DrillTimes;
  readonly isRtoReckoned: boolean;
}): DrillCriterion[] {
  const { objectives, times, isRtoReckoned } = facts;
  return [
    ...within('detected', times.detectMs, objectives.detectMs),
    ...within('contained', times.containMs, objectives.containMs),
    ...rpo(facts),
    ...within('RTO', times.rtoMs, objectives.rtoMs, isRtoReckoned ? 'about ' : ''),
  ];
}

function rpo({
  objectives,
  times: { rpoMs },
}: Pick<DrillFacts, 'objectives' | 'times'>): DrillCriterion[] {
  if (objectives.rpoMs === undefined) return [];
  const target = formatSpan(objectives.rpoMs);
  if (rpoMs === undefined) {
    return [{ name: 'RPO', isMet: false, detail: `nothing is committed, target ${target}` }];
  }
  const detail = `${formatSpan(rpoMs)}, target ${target}`;
  return [{ name: 'RPO', isMet: rpoMs <= objectives.rpoMs, detail }];
}

function within(
  name: string,
  ms: number | undefined,
  target: number | undefined,
  about = '',
): DrillCriterion[] {
  if (target === undefined || ms === undefined) return [];
  const detail = `${about}${formatElapsed(ms)}, target ${formatSpan(target)}`;
  return [{ name, isMet: ms <= target, detail }];
}
