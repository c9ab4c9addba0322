/** Whether a dataset has been rehearsed lately. `never`: not since it exists, and it is time. */
export type DrillState = 'unasked' | 'waiting' | 'current' | 'overdue' | 'never';

/** Of the time between two drills: at this part of it, and up to so much later, the next one begins by itself. */
const dueShare = 0.75;
const jitterShare = 0.15;

/**
 * When a drill without a person should begin: well before the last one counts no more, and not at the same moment
 * as those of other datasets and hosts. `jitter`: from 0 to below 1, the same while nothing changes.
 */
export function nextDrillMs(facts: {
  readonly everyMs: number;
  readonly sinceMs: number;
  readonly lastMs: number | undefined;
  readonly jitter: number;
}): number {
  const { everyMs, sinceMs, lastMs, jitter } = facts;
  const spreadMs = everyMs * jitterShare * jitter;
  return lastMs === undefined ? sinceMs + spreadMs : lastMs + everyMs * dueShare + spreadMs;
}

/** `sinceMs`: when the dataset came; `lastMs`: when a drill of it ended well last. By the clocks of those who say so. */
export function drillState(facts: {
  readonly everyMs: number | undefined;
  readonly sinceMs: number;
  readonly lastMs: number | undefined;
  readonly nowMs: number;
}): DrillState {
  const { everyMs, sinceMs, lastMs, nowMs } = facts;
  if (everyMs === undefined) return 'unasked';
  if (nowMs - (lastMs ?? sinceMs) <= everyMs) return lastMs === undefined ? 'waiting' : 'current';
  return lastMs === undefined ? 'never' : 'overdue';
}
