import type { SnapshotReport } from '../agent/api.ts';

/**
 * Sorts by time, the newest last; but the history of a dataset stays in its order, since the hosts that have
 * written it have clocks of their own.
 */
export function sortByHistory(snapshots: SnapshotReport[]): void {
  const shownMs = new Map<SnapshotReport, number>();
  const main = snapshots.filter(({ line }) => line === 'main');
  for (const ofDataset of Map.groupBy(main, ({ dataset }) => dataset).values()) {
    let timeMs = Number.NEGATIVE_INFINITY;
    for (const one of ofDataset.toSorted(byHistory)) {
      timeMs = Math.max(timeMs, one.timeMs);
      shownMs.set(one, timeMs);
    }
  }
  const timeOf = (one: SnapshotReport): number => shownMs.get(one) ?? one.timeMs;
  snapshots.sort((a, b) => timeOf(a) - timeOf(b) || byHistory(a, b));
}

/** Of two snapshots of one history, negative when the first is older. */
export function byHistory(a: SnapshotReport, b: SnapshotReport): number {
  return a.incarnation - b.incarnation || a.sequence - b.sequence || a.timeMs - b.timeMs;
}
