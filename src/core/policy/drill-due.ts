/** Whether a dataset has been rehearsed lately. `never`: not since it exists, and it is time. */
export type DrillState = 'unasked' | 'waiting' | 'current' | 'overdue' | 'never';

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
