import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchArguments } from './arguments.ts';
import type { Curve } from './curve.ts';
import { curveOfChunks } from './curve-chunks.ts';
import { curveOfFiles } from './curve-files.ts';
import { curveOfFileSize } from './curve-file-size.ts';
import { curveOfRepairs } from './curve-repairs.ts';
import { curveOfSnapshots } from './curve-snapshots.ts';
import { machineWords } from './machine.ts';
import { linePlot } from './line-plot.ts';
import { markdownTable, writePart } from './report.ts';
import { short } from './statistics.ts';

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
