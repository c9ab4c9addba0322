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
};

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
      return pairs.length === 0 ? [] : [{ row, ours, theirs, opponent, ratio: median(pairs) }];
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

/** The goals are set against this one. */
const measure: Opponent = 'restic';

/** One table an opponent. */
export function tableOf(lines: readonly Line[]): string {
  const parts: string[] = [];
  for (const [opponent, some] of Map.groupBy(lines, (line) => line.opponent)) {
    const head = ['work', 'Holdfast', opponent, 'ratio'];
    const body = some.map(({ row: { title, unit }, ours, theirs, ratio }) => [
      ...[`${title}, ${unit}`, withSpread(ours), withSpread(theirs), ratio.toFixed(2)],
    ]);
    const goals = opponent === measure ? some.map(goalCells) : [];
    const table = opponent === measure ? [[...head, 'goal', '']] : [head];
    parts.push(
      markdownTable([...table, ...body.map((cells, i) => [...cells, ...(goals[i] ?? [])])]),
    );
  }
  return parts.join('\n');
}

function goalCells({ row: { goal }, ratio }: Line): string[] {
  return goal === undefined ? ['', ''] : [goal.toFixed(2), ratio <= goal ? 'met' : 'not met'];
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
