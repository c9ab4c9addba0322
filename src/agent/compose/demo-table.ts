import { formatSpan } from '../../base/quantity.ts';
import type { SnapshotReport } from '../api.ts';
import type { DrillEntry } from '../drill-types.ts';

export type DemoMeasures = {
  first: SnapshotReport;
  second: SnapshotReport;
  stored: { site: string; bytes: number }[];
  /** Of the loss that follows; undefined: nobody has signed one. */
  drill: DrillEntry | undefined;
  restoreMs: number;
  rpoMs: number;
  compared: number;
};

/** What was measured, for a person. */
export function demoTable(measures: DemoMeasures): string {
  const { first, second, stored, restoreMs, rpoMs } = measures;
  const total = stored.reduce((sum, one) => sum + one.bytes, 0);
  const sealed = first.bytesAdded + second.bytesAdded;
  const rows = [
    [
      'first backup',
      seconds(first.durationMs),
      `${mb(first.bytes)} in ${first.files} files, ${rate(first)}`,
    ],
    [
      'second backup',
      seconds(second.durationMs),
      `${second.filesNew} new, ${second.filesChanged} changed, ${mb(second.bytesAdded)} added`,
    ],
    ...drillRows(measures.drill),
    [
      'restore (RTO)',
      seconds(restoreMs),
      `${mb(second.bytes)}, ${(second.bytes / 1e3 / restoreMs).toFixed(0)} MB/s, two of five sites gone`,
    ],
    ['data lost (RPO)', seconds(rpoMs), 'age of the newest committed snapshot at the loss'],
    [
      'sealed, before coding',
      mb(sealed),
      `${(sealed / second.bytes).toFixed(2)} of the source's size`,
    ],
    [
      'stored, all sites',
      mb(total),
      `${(total / sealed).toFixed(2)}x of the sealed bytes, any 2 sites may fail`,
    ],
    ...stored.map(({ site, bytes }) => [`  ${site}`, mb(bytes), '']),
    ['identical after restore', 'yes', 'names, bytes, modes, owners, times, links, attributes'],
  ];
  const lines = rows.map(
    ([what = '', value = '', note = '']) => `${what.padEnd(24)} ${value.padStart(12)}  ${note}`,
  );
  return ['', ...lines].join('\n');
}

/** What the drill said before the loss, to compare with what came. */
function drillRows(drill: DrillEntry | undefined): string[][] {
  if (drill === undefined) return [];
  const { times, objectives, outcome } = drill.report;
  const target = (ms: number | undefined): string =>
    ms === undefined ? 'no target' : `target ${formatSpan(ms)}`;
  const signed = `signed by ${drill.agent} as ${drill.id.slice(0, 8)}`;
  return [
    ['drill: RTO', seconds(times.rtoMs ?? 0), `${target(objectives.rtoMs)}: ${outcome}, ${signed}`],
    ['drill: RPO', seconds(times.rpoMs ?? 0), target(objectives.rpoMs)],
  ];
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function rate(report: SnapshotReport): string {
  return `${(report.bytes / 1e3 / report.durationMs).toFixed(0)} MB/s`;
}
