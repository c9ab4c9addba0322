import { dayMs } from '../../src/base/units.ts';
import { type FaultKind, YearFaults } from './faults.ts';
import { shippedParts, type YearParts } from './parts.ts';
import { YearPlay } from './play.ts';
import type { YearRates } from './rates.ts';
import { stepMs } from './steps.ts';
import type { Harm, YearViolation } from './watch.ts';

export type YearOptions = {
  readonly rates: YearRates;
  /** In the place of what is shipped: a mutant. */
  readonly parts?: YearParts | undefined;
  readonly days?: number;
  /** Packs of the first snapshot: 1280 are 20 GiB. */
  readonly packs?: number;
  /** Without trouble, in the end: else as long as two rounds of reading back, and what follows from them. */
  readonly settleDays?: number;
  /** Told of each day that has passed. */
  readonly onDay?: (day: number) => void;
};

export type YearRun = {
  readonly violation: YearViolation | undefined;
  readonly counts: Readonly<Record<FaultKind, number>>;
  readonly harms: readonly Harm[];
  readonly snapshots: number;
  readonly packsKept: number;
  readonly packsRead: number;
  readonly shardsMade: number;
  readonly spareMin: number;
  readonly shortMsMax: number;
  /** Of all packs at all times, how many were whole: 0 to 1. */
  readonly wholeShare: number;
};

/** Of the packs, new each day, as many as go. */
const changedPerMille = 5;

/** A year of backups, trouble and care of one cluster; then none, and everything must be whole. */
export async function runYear(seed: number, options: YearOptions): Promise<YearRun> {
  const { rates, parts = shippedParts, days = 365, packs = 1280, settleDays = 35 } = options;
  const play = await YearPlay.open({ seed, parts });
  const { cluster, backups, watch } = play;
  backups.onChange = () => {
    watch.isDirty = true;
  };
  const faults = new YearFaults({ cluster, backups, watch, rates });
  const changed = Math.max(1, Math.round((packs * changedPerMille) / 1000));
  await backups.begin(packs);
  const goesOn = (): boolean => watch.violation === undefined;
  while (goesOn() && cluster.nowMs < days * dayMs) {
    faults.step();
    if (cluster.nowMs % dayMs < stepMs) {
      options.onDay?.(Math.floor(cluster.nowMs / dayMs));
      await backups.backUp(changed);
    }
    await play.pass(stepMs);
  }
  faults.heal();
  for (const endMs = cluster.nowMs + settleDays * dayMs; goesOn() && cluster.nowMs < endMs; ) {
    await play.pass(stepMs);
  }
  if (goesOn()) watch.settled();
  const packsRead = watch.readAll();
  const { harms, spareMin, shortMsMax, shortPackMs, packMs } = watch;
  return {
    ...{ violation: watch.violation, counts: faults.counts, harms, spareMin, shortMsMax },
    snapshots: cluster.newest,
    packsKept: backups.kept().size,
    packsRead,
    shardsMade: play.shardsMade,
    wholeShare: packMs === 0 ? 1 : 1 - shortPackMs / packMs,
  };
}
