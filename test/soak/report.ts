import { cpus } from 'node:os';
import { faultKinds, type Fault, type FaultKind } from './fault.ts';

export type SoakReport = {
  readonly seed: number;
  readonly minutes: number;
  readonly sites: number;
  readonly machine: string;
  readonly backups: number;
  readonly backupsBelowPolicy: number;
  readonly backupsInterrupted: number;
  readonly restores: number;
  /** Of them, attempts that the machine was too slow to answer. */
  readonly restoresAgain: number;
  readonly snapshots: number;
  readonly shards: number;
  readonly faults: readonly Fault[];
  readonly failures: readonly string[];
};

type Spans = { readonly count: number; readonly detected: string; readonly mended: string };

export function machineInWords(): string {
  const [cpu] = cpus();
  return `${cpus().length} x ${cpu?.model ?? 'processor'}, ${process.platform}, Node ${process.version}`;
}

/** For people: each fault, then each kind, then what went wrong. */
export function reportText(report: SoakReport): string {
  const { faults, failures } = report;
  const rows = faults.map((fault) => [
    `${(fault.atMs / 60_000).toFixed(1)} min`,
    fault.kind,
    fault.site,
    spanOf(detectionMs(fault)),
    spanOf(mendMs(fault)),
    fault.detail,
  ]);
  const kinds = faultKinds.map((kind) => {
    const { count, detected, mended } = spansOf(faults, kind);
    return [kind, `${count}`, detected, mended];
  });
  const { minutes, seed, sites, backups, restores } = report;
  return [
    table(['AT', 'FAULT', 'SITE', 'NOTICED', 'WHOLE', 'WHAT'], rows),
    '',
    table(['FAULT', 'COUNT', 'NOTICED: MEDIAN, WORST', 'WHOLE: MEDIAN, WORST'], kinds),
    '',
    `${minutes.toFixed(1)} minutes, seed ${seed}, ${sites} sites, ${faults.length} faults`,
    `${backups} backups (${report.backupsBelowPolicy} below policy, ${report.backupsInterrupted} cut off), ` +
      `${restores} restores compared (${report.restoresAgain} typed again), ${report.snapshots} snapshots, ${report.shards} shards`,
    report.machine,
    ...failures.map((failure) => `FAILED: ${failure}`),
    failures.length === 0 ? 'Whole at the end.' : 'NOT as it should be.',
  ].join('\n');
}

function spansOf(faults: readonly Fault[], kind: FaultKind): Spans {
  const some = faults.filter((fault) => fault.kind === kind);
  return {
    count: some.length,
    detected: middleAndWorst(some.map(detectionMs)),
    mended: middleAndWorst(some.map(mendMs)),
  };
}

function detectionMs({ atMs, detectedMs }: Fault): number | undefined {
  return detectedMs === undefined ? undefined : detectedMs - atMs;
}

/** From the blow; for what ends by itself, from that end. */
function mendMs({ atMs, endedMs, mendedMs }: Fault): number | undefined {
  return mendedMs === undefined ? undefined : mendedMs - (endedMs ?? atMs);
}

function middleAndWorst(spans: readonly (number | undefined)[]): string {
  const known = spans.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  if (known.length === 0) return '-';
  return `${spanOf(known[Math.floor(known.length / 2)])}, ${spanOf(known.at(-1))}`;
}

function spanOf(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
