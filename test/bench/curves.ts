import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchArguments } from './arguments.ts';
import { curveOfChunks } from './curve-chunks.ts';
import { curveOfFiles } from './curve-files.ts';
import { curveOfFileSize } from './curve-file-size.ts';
import { curveOfRepairs } from './curve-repairs.ts';
import { curveOfSnapshots } from './curve-snapshots.ts';
import { machineWords } from './machine.ts';
import { linePlot } from './line-plot.ts';
import { markdownTable, writePart } from './report.ts';
import { short } from './statistics.ts';

/** Cost at growing sizes; a straight line in the plot, where both axes are logarithmic, of slope 1 is n. */
export type Curve = {
  readonly id: string;
  readonly title: string;
  /** What grows, and what is measured. */
  readonly columns: readonly [string, ...string[]];
  readonly points: readonly (readonly number[])[];
};

const makers: Readonly<
  Record<string, (options: BenchArguments, signal: AbortSignal) => Promise<Curve>>
> = {
  chunks: curveOfChunks,
  snapshots: curveOfSnapshots,
  files: curveOfFiles,
  'file-size': curveOfFileSize,
  repairs: curveOfRepairs,
};

/** How cost grows with what is protected; --scale makes the largest sizes smaller. */
export async function curves(options: BenchArguments, signal: AbortSignal): Promise<void> {
  const parts: string[] = [];
  for (const [id, make] of Object.entries(makers)) {
    if (options.only.length > 0 && !options.only.includes(id)) continue;
    signal.throwIfAborted();
    console.error(`${id} ...`);
    const curve = await make(options, signal);
    const rows = curve.points.map((point) => point.map(short));
    parts.push(`**${curve.title}**\n\n${markdownTable([[...curve.columns], ...rows])}`);
    if (options.report !== undefined) {
      const csv = [curve.columns, ...curve.points].map((row) => row.join(',')).join('\n');
      writeFileSync(join(options.report, `curve-${id}.csv`), `${csv}\n`);
      writeFileSync(join(options.report, `curve-${id}.svg`), linePlot(curve));
      parts.push(`![${curve.title}](curve-${id}.svg)`);
    }
  }
  const where = `Measured at scale ${options.scale} on ${machineWords(options.work)}.`;
  const text = [...parts, where].join('\n\n');
  console.log(text);
  if (options.report !== undefined && options.only.length === 0) {
    writePart(options.report, 'curves', text);
  }
}

/** 1, 2 and 5 times the powers of ten, up to a largest value. */
export function steps(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = from; power <= to; power *= 10) {
    for (const factor of [1, 2, 5]) if (power * factor <= to) found.push(power * factor);
  }
  return found;
}
