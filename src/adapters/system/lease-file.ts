import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** The programs of a dataset, as the configuration names them. No shell reads them. */
export type LeasePrograms = {
  readonly start?: readonly string[] | undefined;
  readonly stop: readonly string[];
  /** A device that resets the host unless it is written to every few seconds, as /dev/watchdog. */
  readonly watchdog?: string | undefined;
};

const argv = z.array(z.string()).min(1);

const order = z.object({
  /** The start of the host that the times belong to. */
  boot: z.string(),
  /** Since that start, sleep included; null: no limit, and nothing to guard. */
  untilMs: z.number().nullable(),
  /** The same moment by the calendar: a machine that was stood still as a whole notices by it alone. */
  untilWallMs: z.number().nullable(),
  programs: z.object({
    start: argv.optional(),
    stop: argv,
    watchdog: z.string().optional(),
  }),
});

const report = z.object({
  boot: z.string(),
  /** Process id of the guard. */
  guard: z.number(),
  state: z.enum(['stopped', 'running', 'stopping']),
  /** What went wrong with a program; empty: nothing. */
  problem: z.string(),
});

/** What the agent tells the guard of a dataset. Written by the agent alone. */
export type LeaseOrder = z.output<typeof order>;

/** What the guard tells the agent. Written by the guard alone. */
export type LeaseReport = z.output<typeof report>;

/** Undefined when it is not there or cannot be understood. */
export function readOrder(path: string): LeaseOrder | undefined {
  return readWith(path, order);
}

/** Undefined when it is not there or cannot be understood. */
export function readReport(path: string): LeaseReport | undefined {
  return readWith(path, report);
}

/** Replaces the file as a whole. Not synced: what was before a start of the host counts for nothing. */
export function writeLease(path: string, content: LeaseOrder | LeaseReport): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Milliseconds since the host was started, sleep included (proc(5), uptime). */
export function uptimeMs(): number {
  return Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000);
}

/** Another one after each start of the host. */
export function bootName(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Whether time is up, by either of the two clocks. What was written before the host started is over. */
export function isOver({ boot, untilMs, untilWallMs }: LeaseOrder): boolean {
  if (untilMs === null || untilWallMs === null) return false;
  return boot !== bootName() || uptimeMs() >= untilMs || Date.now() >= untilWallMs;
}

function readWith<T>(path: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
