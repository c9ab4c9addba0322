import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Opponent } from './arguments.ts';
import type { Result } from './contender.ts';
import { plot } from './plot.ts';
import { type Results, type Row, rows, type SourceBytes, stepKey } from './rows.ts';
import { median, withSpread } from './statistics.ts';

export type Line = {
  readonly row: Row;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly opponent: Opponent;
  /** Median of the ratios of runs that were neighbours. */
  readonly ratio: number;
  readonly goal: number | undefined;
};

/** The goals are set against this one. */
const measure: Opponent = 'restic';

export function linesOf(
  results: Results,
  against: readonly Opponent[],
  bytes: SourceBytes,
): Line[] {
  return rows.flatMap((row) =>
    against.flatMap((opponent) => {
      const ours = valuesOf(results, row, 'holdfast', bytes);
      const theirs = valuesOf(results, row, opponent, bytes);
      const pairs = ours.flatMap((our, i) => {
        const their = theirs[i];
        return their === undefined ? [] : [our / their];
      });
      if (pairs.length === 0) return [];
      const goal = opponent === measure ? row.goal : undefined;
      return [{ row, ours, theirs, opponent, ratio: median(pairs), goal }];
    }),
  );
}

function valuesOf(results: Results, row: Row, contender: string, bytes: SourceBytes): number[] {
  const steps = row.steps.map((step) => results.get(stepKey(step, contender)) ?? []);
  const runs = Math.min(...steps.map((some) => some.length));
  return Array.from({ length: runs }, (_, i) =>
    row.value(
      steps.map((some) => some[i] as Result),
      bytes,
    ),
  );
}

/** One table an opponent. */
export function tableOf(lines: readonly Line[]): string {
  const parts: string[] = [];
  for (const [opponent, some] of Map.groupBy(lines, (line) => line.opponent)) {
    const body = some.map(({ row: { title, unit }, ours, theirs, ratio, goal }) => {
      const verdict = goal === undefined ? '' : ratio <= goal ? 'met' : 'not met';
      const values = [withSpread(ours), withSpread(theirs), ratio.toFixed(2)];
      return [`${title}, ${unit}`, ...values, goal?.toFixed(2) ?? '', verdict];
    });
    const head = ['work', 'Holdfast', opponent, 'ratio', 'goal', ''];
    const columns = some.some(({ goal }) => goal !== undefined) ? head.length : 4;
    parts.push(markdownTable([head, ...body].map((cells) => cells.slice(0, columns))));
  }
  return parts.join('\n');
}

export function markdownTable(cells: readonly (readonly string[])[]): string {
  const [head = [], ...body] = cells;
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...body.map(line)].join('\n')}\n`;
}

/** Puts a text between the marks of its part of docs/performance.md; what people wrote around it stays. */
export function writePart(docs: string, part: string, text: string): void {
  const file = join(docs, 'performance.md');
  const [from, to] = [`<!-- ${part}: begin -->`, `<!-- ${part}: end -->`];
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '# Performance\n';
  const block = `${from}\n\n${text.trim()}\n\n${to}`;
  const [start, end] = [before.indexOf(from), before.indexOf(to)];
  const after =
    start >= 0 && end > start
      ? before.slice(0, start) + block + before.slice(end + to.length)
      : `${before.trimEnd()}\n\n${block}\n`;
  writeFileSync(file, after);
}

export function writePlot(docs: string, lines: readonly Line[]): void {
  writeFileSync(join(docs, 'performance.svg'), plot(lines));
}
