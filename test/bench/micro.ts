import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchArguments } from './arguments.ts';
import { machineWords } from './machine.ts';
import { markdownTable, writePart } from './report.ts';
import { type Stage, stagesOf } from './stages.ts';
import { short } from './statistics.ts';

const batches = 3;
/** The kernel counts a thread's time in ticks of up to 4 ms: a batch must be much longer. */
const batchCpuMs = 250;
const repeatsMin = 5;

/** Each stage of the data path by itself: what a core does with it, and what the machine would allow. */
export async function micro(options: BenchArguments, signal: AbortSignal): Promise<void> {
  const directory = join(options.work, 'micro');
  mkdirSync(directory, { recursive: true });
  const rows: string[][] = [['stage', 'MB/s', 'limit, MB/s', 'share', 'the limit']];
  await using stages = await stagesOf(directory);
  for (const stage of stages.all) {
    if (options.only.length > 0 && !options.only.includes(stage.name)) continue;
    signal.throwIfAborted();
    const ours = await speedOf(stage, stage.run);
    const limit = await speedOf(stage, stage.limit);
    const share = `${Math.round((100 * ours) / limit)} %`;
    rows.push([stage.words, short(ours), short(limit), share, stage.limitWords]);
    console.error(`${stage.name.padEnd(14)} ${short(ours).padStart(6)} of ${short(limit)} MB/s`);
  }
  const text = `${markdownTable(rows)}
Bytes of input for each second of one core's time, the best of ${batches} batches; stages that wait for
the disk by the clock. Measured on ${machineWords(directory)}.`;
  console.log(text);
  if (options.report !== undefined && options.only.length === 0) {
    writePart(options.report, 'micro', text);
  }
}

async function speedOf(stage: Stage, work: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  if (stage.isTimedByClock) {
    for (let i = 0; i < repeatsMin; i++) best = Math.min(best, await clockOf(work));
  } else {
    // The first calls are slower: code is compiled meanwhile.
    for (let i = 0; i < 2; i++) work();
    for (let i = 0; i < batches; i++) best = Math.min(best, cpuOf(work));
  }
  return stage.bytes / best / 1e6;
}

async function clockOf(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** CPU seconds of this thread for one call, which others on the machine do not lengthen much. */
function cpuOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  for (let calls = 1; ; calls++) {
    work();
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= batchCpuMs * 1000) return (user + system) / 1e6 / calls;
  }
}
