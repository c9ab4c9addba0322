import { type Times, timesOf } from './times.ts';
import { shapes } from './partition.ts';
import type { StoredReport } from './report-file.ts';
import { type Cell, cells, moments, stepNames, victims, ways } from './scheme.ts';

/** Cells that no kill has hit. */
export function missedCells(reports: readonly StoredReport[]): readonly Cell[] {
  return cells.filter((cell) => countOf(reports, cell) === 0);
}

function countOf(reports: readonly StoredReport[], { step, moment, victim }: Cell): number {
  const isIt = (hit: Cell): boolean =>
    hit.step === step && hit.moment === moment && hit.victim === victim;
  return reports.reduce((sum, { hits }) => sum + hits.filter(isIt).length, 0);
}

/** What rounds have shown, for people. */
export function summaryOf(reports: readonly StoredReport[]): string {
  const failed = reports.filter(({ problems }) => problems.length > 0);
  const builds = [...new Set(reports.map(({ build }) => build))].join(', ');
  const failovers = reports.flatMap((one) => one.failovers.map((at) => ({ ...at, ...one })));
  const onLan = failovers.filter(({ network, isCalm }) => network === 'lan' && isCalm);
  const relayed = failovers.filter(({ network, isCalm }) => network === 'relay' && isCalm);
  const inTrouble = failovers.filter(({ isCalm }) => !isCalm);
  const count = (what: (report: StoredReport) => number): number =>
    reports.reduce((sum, report) => sum + what(report), 0);
  return [
    `${reports.length} rounds (build ${builds}): ${reports.length - failed.length} passed, ${failed.length} failed`,
    ...failed.map(({ seed, problems }) => `  seed ${seed}: ${problems.join('; ')}`),
    `plans ended after all was mended:     ${told(timesOf(reports.map((one) => one.settledMs)))}`,
    `another leader confirmed, LAN:        ${told(timesOf(onLan.map(({ ms }) => ms)))} (${onLan.length} kills, nothing else wrong)`,
    `another leader confirmed, relay:      ${told(timesOf(relayed.map(({ ms }) => ms)))} (${relayed.length} kills, delay and loss)`,
    `another leader confirmed, in trouble: ${told(timesOf(inTrouble.map(({ ms }) => ms)))} (${inTrouble.length} kills amid partitions, pauses, other kills)`,
    `agents killed by aim: ${count(({ hits }) => hits.length)}; plans resumed by operators: ${count((one) => one.resumes)}`,
    `backups by old holders: ${count((one) => one.writes.written)} written, ${count((one) => one.writes.refused)} refused, ${count((one) => one.writes.failed)} failed`,
    `duration of a round:                  ${told(timesOf(reports.map((one) => one.tookMs)))}`,
    '',
    'kill -9 that has hit, leader/target:',
    ...cellTable(reports),
    '',
    list('partitions', shapes, (shape) =>
      count((one) => one.shapes.filter((other) => other === shape).length),
    ),
    list('old holder', ways, (way) => count((one) => (one.way === way ? 1 : 0))),
    list('network', ['lan', 'relay'] as const, (kind) =>
      count((one) => (one.network === kind ? 1 : 0)),
    ),
  ].join('\n');
}

function told({ median, p95, worst }: Times): string {
  if (Number.isNaN(median)) return 'never';
  return `${median} ms median, ${p95} ms p95, ${worst} ms worst`;
}

function cellTable(reports: readonly StoredReport[]): string[] {
  const rows = stepNames.map((step) => [
    step,
    ...moments.map((moment) =>
      victims.map((victim) => countOf(reports, { step, moment, victim })).join('/'),
    ),
  ]);
  return [['', ...moments], ...rows].map((row) =>
    row
      .map((cell) => cell.padEnd(10))
      .join('')
      .trimEnd(),
  );
}

function list<T extends string>(
  title: string,
  items: readonly T[],
  count: (item: T) => number,
): string {
  return `${title}: ${items.map((item) => `${item} ${count(item)}`).join(', ')}`;
}
