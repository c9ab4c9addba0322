import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../src/base/units.ts';
import { Cluster } from '../support/cluster.ts';
import { plainRequest } from '../support/running-backup.ts';
import type { BenchArguments } from './arguments.ts';
import { keystream } from './corpus-files.ts';
import { type Curve, steps } from './curve.ts';
import { cpuSecondsOf, peakBytesOf, resetPeak } from './processes.ts';

/** Data in each file, in pieces spread over it. */
const pieces = 64;

/** One sparse file up to 1 TB, with the same data in it: what size alone costs. */
export async function curveOfFileSize(
  { scale, work }: BenchArguments,
  signal: AbortSignal,
): Promise<Curve> {
  const directory = join(work, 'sparse');
  mkdirSync(directory, { recursive: true });
  await using cluster = new Cluster();
  cluster.configs.one = { threads: undefined };
  await cluster.found({ name: 'one', region: 'here' }, { surviveSites: 0 });
  await cluster.start('one');
  const pid = cluster.pid('one');
  const points: number[][] = [];
  for (const size of steps(1e8, Math.max(1e9, 1e12 * scale))) {
    signal.throwIfAborted();
    const file = join(directory, `sparse-${size}`);
    writeSparse(file, size);
    resetPeak(pid);
    const [started, cpu] = [performance.now(), cpuSecondsOf(pid)];
    for await (const _ of cluster.api('one').backup(plainRequest([file])));
    const seconds = (performance.now() - started) / 1000;
    points.push([size, seconds, cpuSecondsOf(pid) - cpu, peakBytesOf(pid) / 1e6]);
  }
  const columns = ['bytes', 'backup, s', 'CPU, s', 'peak memory of the agent, MB'] as const;
  return { id: 'file-size', title: 'Size of one sparse file', columns, points };
}

function writeSparse(file: string, size: number): void {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, size);
  for (let i = 0; i < pieces; i++) {
    const at = Math.floor((size / pieces) * i);
    writeSync(fd, keystream(`${file} ${i}`, MiB / 4), 0, MiB / 4, at);
  }
  closeSync(fd);
}
