import type { SnapshotReport } from '../api.ts';

export type DemoMeasures = {
  first: SnapshotReport;
  second: SnapshotReport;
  stored: { site: string; bytes: number }[];
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

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function rate(report: SnapshotReport): string {
  return `${(report.bytes / 1e3 / report.durationMs).toFixed(0)} MB/s`;
}
