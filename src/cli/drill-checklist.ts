import { formatSpan } from '../base/quantity.ts';
import type { DrillReport } from '../core/policy/drill-report.ts';
import { day } from './drill-trend.ts';

export type ChecklistRow = {
  readonly source: string;
  readonly asks: string;
  readonly found: string;
};

// DORA: Regulation (EU) 2022/2554. NIS2: Directive (EU) 2022/2555, and for many of those whom it binds the annex of
// Implementing Regulation (EU) 2024/2690. The middle column is in our words.

/** What auditors ask of rehearsed restores, and what these reports have of it. */
export function checklist(drills: readonly DrillReport[]): ChecklistRow[] {
  // A validation restores nothing.
  const restores = drills.filter(({ kind }) => kind !== 'validation');
  const real = restores.filter(({ where }) => where === 'cluster');
  return [
    {
      source: 'DORA article 11(6)',
      asks: 'Response and recovery plans are tested at least yearly',
      found: frequency(real),
    },
    {
      source: 'DORA article 12(1), (2)',
      asks: 'Scope and frequency of backups are laid down; restores are tested periodically',
      found: scope(real),
    },
    {
      source: 'DORA article 12(3)',
      asks: 'Restores use systems that are physically and logically segregated from the source',
      found: segregation(real),
    },
    {
      source: 'DORA article 12(6)',
      asks: 'Recovery time and recovery point objectives for each function',
      found: objectives(real),
    },
    {
      source: 'DORA article 12(7)',
      asks: 'Multiple checks that recovered data is whole and consistent',
      found: integrity(real),
    },
    {
      source: 'NIS2 article 21(2)(c)',
      asks: 'Business continuity: backup management and disaster recovery',
      found: scenarios(restores),
    },
    {
      source: '2024/2690 annex 4.2.2, 4.2.3',
      asks: 'Recovery times, completeness and accuracy of copies, their integrity checked regularly',
      found: integrity(real),
    },
    {
      source: '2024/2690 annex 4.2.6',
      asks: 'Recovery is tested regularly, results are documented, and acted upon',
      found: results(real),
    },
  ];
}

const nothing = 'nothing: no drill of the cluster itself in this time';

function frequency(drills: readonly DrillReport[]): string {
  const [first, last] = [drills[0], drills.at(-1)];
  if (first === undefined || last === undefined) return nothing;
  return `${drills.length} drills from ${day(first.endedMs)} to ${day(last.endedMs)}`;
}

function scope(drills: readonly DrillReport[]): string {
  if (drills.length === 0) return nothing;
  const names = new Set(drills.map(({ dataset }) => dataset?.name ?? '?'));
  const whole = drills.filter((one) => one.scope === 'all').length;
  return `datasets ${[...names].sort().join(', ')}; ${whole} of ${drills.length} drills restored all of it`;
}

function segregation(drills: readonly DrillReport[]): string {
  if (drills.length === 0) return nothing;
  const elsewhere = drills.filter(
    ({ agent, dataset }) => dataset !== undefined && agent.site !== dataset.sourceSite,
  ).length;
  return `${elsewhere} of ${drills.length} were restored at another site than the source's; each into a directory that nothing else uses. Logical segregation beyond that is not measured`;
}

function objectives(drills: readonly DrillReport[]): string {
  if (drills.length === 0) return nothing;
  const byName = Map.groupBy(drills, ({ dataset }) => dataset?.name ?? '?');
  const words = [...byName].map(([name, some]) => {
    const { rtoMs, rpoMs } = some.at(-1)?.objectives ?? {};
    const span = (ms: number | undefined): string => (ms === undefined ? 'none' : formatSpan(ms));
    return `${name}: RTO ${span(rtoMs)}, RPO ${span(rpoMs)}`;
  });
  return words.join('; ');
}

function integrity(drills: readonly DrillReport[]): string {
  if (drills.length === 0) return nothing;
  const sum = (pick: (report: DrillReport) => number | undefined): number =>
    drills.reduce((total, report) => total + (pick(report) ?? 0), 0);
  const chunks = sum(({ fidelity }) => fidelity?.chunks);
  const wrong = sum(({ fidelity }) => fidelity?.mismatches);
  const lost = sum(({ restored }) => restored?.lost);
  return `${chunks} digests and the metadata of ${sum(({ fidelity }) => fidelity?.entries)} entries read back from the restored copies: ${wrong} wrong, ${lost} files lost`;
}

function scenarios(drills: readonly DrillReport[]): string {
  const kinds = new Set(drills.map(({ kind, where }) => `${kind} (${where})`));
  return kinds.size === 0 ? 'nothing' : [...kinds].sort().join(', ');
}

function results(drills: readonly DrillReport[]): string {
  if (drills.length === 0) return nothing;
  const bad = drills.filter(({ outcome }) => outcome !== 'passed');
  const mended = bad.filter((one) =>
    drills.some(
      (later) =>
        later.endedMs > one.endedMs &&
        later.outcome === 'passed' &&
        later.dataset?.id === one.dataset?.id,
    ),
  );
  return `every drill has a signed report, good or bad; ${bad.length} not passed, of which ${mended.length} passed later`;
}
