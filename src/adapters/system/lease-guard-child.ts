import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { runChild } from './hook-child.ts';
import {
  bootName,
  isOver,
  type LeaseOrder,
  type LeaseReport,
  readOrder,
  readReport,
  writeLease,
} from './lease-file.ts';

// The process of lease-guard.ts: starts the programs, waits until the time of its order is up, stops them. It has no
// part in the cluster and asks nobody, so nothing that happens to the agent or to the network keeps it from that.

const lookMs = 200;
const startTimeoutMs = 600 * secondMs;
const stopTimeoutMs = 60 * secondMs;

const [orderPath, reportPath] = process.argv.slice(2);
assert(orderPath !== undefined && reportPath !== undefined, 'a guard is told its files');
const first = readOrder(orderPath);
assert(first !== undefined, 'a guard has an order');

let order: LeaseOrder = first;

/** The newest order; the last one that could be read, where the file is gone. */
function newest(): LeaseOrder {
  order = readOrder(orderPath as string) ?? order;
  return order;
}

function tell(state: LeaseReport['state'], problem = ''): void {
  writeLease(reportPath as string, { boot: bootName(), guard: process.pid, state, problem });
}

/** Whoever ends the guard ends the programs: without it nobody would stop them in time. */
let isTold = false;
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    isTold = true;
  });
}

const before = readReport(reportPath);
const isAdopting = before?.state === 'running' && before.boot === bootName();
let problem = '';
tell('running');
const watchdog = openWatchdog();
if (!isAdopting && !isOver(order)) problem = await start();
if (problem !== '') tell('running', problem);
await untilOver();
if (order.untilMs === null) tell('stopped');
else await stop();
closeWatchdog();

async function start(): Promise<string> {
  const { start: argv } = order.programs;
  if (argv === undefined) return '';
  const enough = new AbortController();
  const watching = untilOver(enough.signal).then(() => enough.abort());
  try {
    const options = { timeoutMs: startTimeoutMs, signal: enough.signal };
    const { isDone, detail, output } = await runChild({ argv, environment: {} }, options);
    return isDone ? '' : `${detail} ${output}`.trim();
  } catch {
    return 'it was stopped: its time was up';
  } finally {
    enough.abort();
    await watching;
  }
}

/** Feeds the watchdog for as long as there is time. */
async function untilOver(signal?: AbortSignal): Promise<void> {
  while (signal?.aborted !== true && !isTold && newest().untilMs !== null && !isOver(order)) {
    feed('\0');
    await after(lookMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

/** Again and again until it has worked. The watchdog gets nothing any more: it ends what cannot be stopped. */
async function stop(): Promise<void> {
  for (;;) {
    tell('stopping', problem);
    const hook = { argv: order.programs.stop, environment: {} };
    const { isDone, detail, output } = await runChild(hook, { timeoutMs: stopTimeoutMs });
    if (isDone) break;
    problem = `${detail} ${output}`.trim();
    await after(secondMs);
  }
  tell('stopped');
}

function openWatchdog(): number | undefined {
  const device = order.programs.watchdog;
  if (device === undefined) return undefined;
  try {
    return openSync(device, 'w');
  } catch (error) {
    problem = `${device} cannot be opened: ${(error as Error).message}`;
    tell('running', problem);
    return undefined;
  }
}

function feed(text: string): void {
  if (watchdog !== undefined) writeSync(watchdog, text);
}

/** The letter V lets the device be closed without a reset (Linux watchdog API). */
function closeWatchdog(): void {
  if (watchdog === undefined) return;
  feed('V');
  closeSync(watchdog);
}
