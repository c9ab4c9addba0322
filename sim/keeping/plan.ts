import { dayMs, hourMs } from '../../src/base/units.ts';
import { Prng } from '../prng.ts';

/** One piece of trouble; `host` is a number of one that keeps shards. */
export type KeepingFault = {
  readonly atMs: number;
  readonly spanMs: number;
  readonly host: number;
} & (
  | { readonly kind: 'crash' | 'away' | 'deaf' | 'cut-off' | 'full-disk' }
  /** Somebody sets the clock; it is set right again, or stays. */
  | { readonly kind: 'clock'; readonly byMs: number }
);

/** Everything about a run that is drawn before it begins. */
export type KeepingPlan = {
  readonly days: number;
  readonly lock: { readonly mode: 'compliance' | 'governance' | 'none'; readonly for: string };
  readonly keepLast: number;
  /** The hosts whose clocks somebody may set: of one site. */
  readonly clockHosts: readonly number[];
  /** A voter that proposes and confirms whatever comes to its mind. */
  readonly hasLiar: boolean;
  /** When the source signs a second history; undefined: never. */
  readonly forkMs: number | undefined;
  /** What operators do now and then: holds, vetoes, words to forget. */
  readonly operatorPerMille: number;
  readonly faults: readonly KeepingFault[];
};

/** Of the first site there are two, and both have one owner. */
const sitesOfHosts: readonly (readonly number[])[] = [[0, 4], [1], [2], [3]];
const kinds = ['crash', 'away', 'deaf', 'cut-off', 'full-disk', 'clock'] as const;
const faultsMax = 14;

export function keepingPlanOf(seed: number): KeepingPlan {
  const random = new Prng(seed);
  const days = random.between(24, 36);
  const clockHosts = random.pick(sitesOfHosts);
  const enabled = kinds.filter(() => random.chance(500));
  const faults: KeepingFault[] = [];
  const count = enabled.length === 0 ? 0 : random.between(1, faultsMax);
  for (let i = 0; i < count; i++) {
    const kind = random.pick(enabled);
    const atMs = random.below(days * 24) * hourMs;
    const spanMs = random.pick([5, 30, 80, 130]) * hourMs;
    const host = random.below(5);
    if (kind === 'clock') {
      const byDays = random.pick([-400, -3, -0.5, 0.5, 3, 12, 400]);
      faults.push({ atMs, spanMs, kind, host: random.pick(clockHosts), byMs: byDays * dayMs });
    } else faults.push({ atMs, spanMs, kind, host });
  }
  return {
    days,
    lock: {
      mode: random.pick(['compliance', 'governance', 'none']),
      for: random.pick(['2d', '6d']),
    },
    keepLast: random.between(1, 3),
    clockHosts,
    hasLiar: random.chance(250),
    forkMs: random.chance(150) ? random.below(days) * dayMs : undefined,
    operatorPerMille: random.pick([0, 60, 200]),
    faults: faults.sort((a, b) => a.atMs - b.atMs),
  };
}
