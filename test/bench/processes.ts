import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What /proc says of processes, on Linux. Times in seconds. */

/** The kernel's unit in /proc, 100 a second wherever Linux runs. */
const ticksPerSecond = 100;

/** CPU time of a process and of the children that it has waited for; 0 when it is gone. */
export function cpuSecondsOf(pid: number | 'self'): number {
  const fields = statFields(pid);
  return fields === undefined ? 0 : sum(fields.slice(11, 15)) / ticksPerSecond;
}

/** CPU time of all children that this process has waited for. */
export function childrenCpuSeconds(): number {
  const fields = statFields('self') ?? [];
  return sum(fields.slice(13, 15)) / ticksPerSecond;
}

/** From the third field on: what stands before may contain spaces. */
function statFields(pid: number | 'self'): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    return undefined;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The process and everything below it. */
export function treeOf(pid: number): number[] {
  const found = [pid];
  for (const one of found) {
    try {
      for (const task of readdirSync(`/proc/${one}/task`)) {
        const text = readFileSync(`/proc/${one}/task/${task}/children`, 'utf8');
        for (const child of text.split(' ').map(Number)) if (child > 0) found.push(child);
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** The most bytes that a process has had in memory since it began, or since resetPeak. */
export function peakBytesOf(pid: number): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Not allowed here: then the peak is that of its whole life.
  }
}

/** Seconds of CPU that everything on this machine has used. */
export function machineCpuSeconds(): number {
  const [, ...values] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = values.map(Number);
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}
