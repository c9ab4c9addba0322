import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainRequest } from '../support/running-backup.ts';
import { Cluster } from '../support/cluster.ts';
import type { BenchArguments } from './arguments.ts';
import { type Curve, steps } from './curve.ts';
import { cpuSecondsOf, peakBytesOf } from './processes.ts';
import { median, short } from './statistics.ts';

/** Backups at each point whose median counts. */
const sampled = 5;

/** One small directory, backed up again and again: what the snapshots before cost the next one, up to 10,000. */
export async function curveOfSnapshots(
  { scale, work }: BenchArguments,
  signal: AbortSignal,
): Promise<Curve> {
  const directory = join(work, 'snapshots');
  mkdirSync(directory, { recursive: true });
  await using cluster = new Cluster();
  cluster.configs.one = { threads: undefined };
  await cluster.found({ name: 'one', region: 'here' }, { surviveSites: 0 });
  await cluster.start('one');
  const pid = cluster.pid('one');
  const points: number[][] = [];
  let made = 0;
  for (const count of steps(10, Math.max(10, 10_000 * scale))) {
    const recent: { seconds: number; cpu: number }[] = [];
    for (; made < count; made++) {
      signal.throwIfAborted();
      writeFileSync(join(directory, `file-${made % 50}`), `snapshot ${made}\n`.repeat(50));
      const [started, cpu] = [performance.now(), cpuSecondsOf(pid)];
      for await (const _ of cluster.api('one').backup(plainRequest([directory])));
      const seconds = (performance.now() - started) / 1000;
      recent.push({ seconds, cpu: cpuSecondsOf(pid) - cpu });
      if (recent.length > sampled) recent.shift();
    }
    const [seconds, cpu] = [recent.map((one) => one.seconds), recent.map((one) => one.cpu)];
    const point = [count, median(seconds), median(cpu), peakBytesOf(pid) / 1e6];
    points.push(point);
    // The last of them take an hour.
    console.error(`  ${point.map(short).join('  ')}`);
  }
  const columns = [
    'snapshots',
    'the next one, s',
    'CPU, s',
    'peak memory of the agent, MB',
  ] as const;
  return { id: 'snapshots', title: 'Snapshots', columns, points };
}
