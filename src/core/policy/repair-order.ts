import { dayMs, hourMs } from '../../base/units.ts';
import type { PackId } from '../ids.ts';
import type { RepairTask } from './repair-plan.ts';

/** Repairs wait so long while more than one site may still fail: most of what is away comes back by itself. */
export const lazyAfterMs = dayMs;
/** Where more than this share of all shards goes within an hour, the cause is hardly their disks. */
const brakeShare = 0.1;
export const brakeMs = hourMs;
/** With so little to spare a repair does not wait. */
const urgentSpare = 1;

export type OrderFacts = {
  readonly tasks: readonly RepairTask[];
  /** For how long a pack has been known to lack something. */
  readonly ageMs: (pack: PackId) => number;
  /** This host has begun to repair the pack and goes on with its part, or it would begin again and again. */
  readonly hasBegun: (task: RepairTask) => boolean;
  /** Somebody has asked for what may wait, too. */
  readonly isAskedFor?: (task: RepairTask) => boolean;
  /** Shards in all, those that are missing included. */
  readonly shardCount: number;
};

export type RepairOrder = {
  /** To be done now, the most endangered first. */
  readonly due: readonly RepairTask[];
  /** To be done later. */
  readonly waiting: readonly RepairTask[];
  /** More has gone within an hour than disks lose: only what is urgent is repaired. */
  readonly isBraked: boolean;
  /** Until something that waits may be due, if nothing but the time changes. */
  readonly changesInMs: number;
};

export function isUrgent({ spare }: Pick<RepairTask, 'spare'>): boolean {
  return spare <= urgentSpare;
}

/** Which repairs are to be done now, and in which order. */
export function orderRepairs(facts: OrderFacts): RepairOrder {
  const { tasks, ageMs, hasBegun, isAskedFor = () => false } = facts;
  const gone = tasks.filter(({ entry, isMove }) => !isMove && ageMs(entry.pack) < brakeMs);
  const isBraked = gone.length > brakeShare * facts.shardCount;
  const isDue = (task: RepairTask): boolean => {
    if (isUrgent(task) || isAskedFor(task)) return true;
    if (isBraked) return false;
    return task.isMove || hasBegun(task) || ageMs(task.entry.pack) >= lazyAfterMs;
  };
  const sorted = tasks.toSorted((a, b) => a.spare - b.spare || compareIds(a, b));
  const waiting = sorted.filter((task) => !isDue(task));
  return { due: sorted.filter(isDue), waiting, isBraked, changesInMs: nextChange() };

  function nextChange(): number {
    let changesInMs = Number.POSITIVE_INFINITY;
    for (const { entry } of waiting) {
      const leftMs = lazyAfterMs - ageMs(entry.pack);
      if (leftMs > 0) changesInMs = Math.min(changesInMs, leftMs);
    }
    if (!isBraked || waiting.length === 0) return changesInMs;
    for (const { entry } of gone) changesInMs = Math.min(changesInMs, brakeMs - ageMs(entry.pack));
    return changesInMs;
  }
}

function compareIds(a: RepairTask, b: RepairTask): number {
  if (a.entry.pack !== b.entry.pack) return a.entry.pack < b.entry.pack ? -1 : 1;
  return a.index - b.index;
}
