import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  childrenCpuSeconds,
  cpuSecondsOf,
  machineCpuSeconds,
  peakBytesOf,
  resetPeak,
  treeOf,
} from './processes.ts';

export type Measured = {
  readonly seconds: number;
  /** Of the command and of the daemons that it talks to, with all their children. */
  readonly cpuSeconds: number;
  /** Sum of the peaks of each of these processes: what they had at once is at most this. */
  readonly peakBytes: number;
  /** As peakBytes, of the daemons alone; of the command where it has none. */
  readonly serverPeakBytes: number;
  /** Cores that others used meanwhile. */
  readonly foreignCores: number;
  readonly out: string;
};

export type Job = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Processes whose work for the command counts as well. */
  readonly daemons?: readonly number[];
  /** Exit codes beside 0 that are no failure. */
  readonly codes?: readonly number[];
  readonly signal: AbortSignal;
};

const samplePeriodMs = 50;

/** Runs a command to its end. @throws Error with the end of what it wrote when it fails */
export async function measure(job: Job): Promise<Measured> {
  const daemons = job.daemons ?? [];
  for (const pid of daemons.flatMap(treeOf)) resetPeak(pid);
  const before = { daemons: cpuOfTrees(daemons), own: childrenCpuSeconds() };
  const machine = machineCpuSeconds();
  const peaks = new Map<number, number>();
  const started = performance.now();
  const child = spawn(job.command, job.args, {
    cwd: job.cwd,
    env: { ...plainEnvironment(), ...job.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: job.signal,
  });
  const timer = setInterval(() => sample([child.pid ?? 0, ...daemons], peaks), samplePeriodMs);
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text.out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text.err += part));
  const code = await new Promise<number>((done, fail) => {
    child.once('error', fail);
    child.once('close', (status) => done(status ?? -1));
  }).finally(() => clearInterval(timer));
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0 && job.codes?.includes(code) !== true) {
    const what = [job.command, ...job.args].join(' ');
    throw new Error(`${what} ended with code ${code}\n${(text.out + text.err).slice(-2000)}`);
  }
  sample(daemons, peaks);
  const cpuSeconds =
    childrenCpuSeconds() - before.own + Math.max(0, cpuOfTrees(daemons) - before.daemons);
  const peakOf = (pids: readonly number[]): number =>
    pids.reduce((total, pid) => total + (peaks.get(pid) ?? 0), 0);
  const peakBytes = peakOf([...peaks.keys()]);
  return {
    seconds,
    cpuSeconds,
    peakBytes,
    serverPeakBytes: daemons.length === 0 ? peakBytes : peakOf(daemons),
    foreignCores: Math.max(0, (machineCpuSeconds() - machine - cpuSeconds) / seconds),
    out: text.out,
  };
}

function cpuOfTrees(pids: readonly number[]): number {
  return pids.flatMap(treeOf).reduce((total, pid) => total + cpuSecondsOf(pid), 0);
}

function sample(roots: readonly number[], peaks: Map<number, number>): void {
  for (const pid of roots.flatMap(treeOf)) {
    peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakBytesOf(pid)));
  }
}

/** Settings of the person's own clusters and repositories do not reach what is measured. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(HOLDFAST|RESTIC|BORG|NODE)_/.test(name),
  );
  return { ...Object.fromEntries(own), NO_COLOR: '1', LC_ALL: 'C' };
}

/** Adds measurements of commands that ran one after another. */
export function inSequence(parts: readonly Measured[]): Measured {
  const total = (pick: (part: Measured) => number): number =>
    parts.reduce((sum, part) => sum + pick(part), 0);
  const most = (pick: (part: Measured) => number): number => Math.max(...parts.map(pick));
  const seconds = total((part) => part.seconds);
  return {
    seconds,
    cpuSeconds: total((part) => part.cpuSeconds),
    peakBytes: most((part) => part.peakBytes),
    serverPeakBytes: most((part) => part.serverPeakBytes),
    foreignCores: total((part) => part.foreignCores * part.seconds) / seconds,
    out: parts.map(({ out }) => out).join(''),
  };
}

/** Waits until others leave the machine alone. @returns the cores that they still use after `withinS` seconds */
export async function untilIdle(withinS: number, signal: AbortSignal): Promise<number> {
  const endMs = performance.now() + withinS * 1000;
  for (;;) {
    const [before, startMs] = [machineCpuSeconds(), performance.now()];
    await sleep(500, undefined, { signal });
    const cores = (machineCpuSeconds() - before) / ((performance.now() - startMs) / 1000);
    if (cores < 0.2 || performance.now() > endMs) return cores;
  }
}
