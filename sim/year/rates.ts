import { dayMs, hourMs, minuteMs } from '../../src/base/units.ts';

/** How often what goes wrong in a year, for each of the hosts unless it says otherwise. */
export type YearRates = {
  /** All that a host stores is gone, and it comes back empty. */
  readonly disk: number;
  /** The same for a site, which is away for weeks before. */
  readonly site: number;
  /** Bits of one shard have turned, and nobody has noticed. */
  readonly rot: number;
  /** Host or line is off for some minutes to two days. */
  readonly down: number;
  /** Of the whole cluster: some sites do not reach the others. */
  readonly partition: number;
};

/**
 * The three profiles for which the durability model was reckoned: a host's disk and a whole site a year. Silent damage
 * is that of hard disks, by TigerBeetle's fault model (1.4 % of disks a year), where an affected disk has spoilt `rotten`
 * shards at once. Outages and partitions are our own: homes and offices, not data centres.
 */
export const profiles: Readonly<Record<string, YearRates>> = {
  A: { disk: 0.05, site: 0.01, rot: 0.014, down: 26, partition: 6 },
  B: { disk: 0.1, site: 0.01, rot: 0.014, down: 26, partition: 12 },
  C: { disk: 0.25, site: 0.02, rot: 0.014, down: 52, partition: 26 },
};

/** `times`: data is lost so much more often; outages are not. */
export function ratesOf(profile: string, times: number): YearRates | undefined {
  const rates = profiles[profile];
  if (rates === undefined) return undefined;
  const { disk, site, rot } = rates;
  return { ...rates, disk: disk * times, site: site * times, rot: rot * times };
}

/** How long each takes; what is drawn lies between the two, short ones more often. */
export const spans = {
  /** Until there is a new disk. */
  disk: { min: 4 * hourMs, max: 4 * dayMs },
  site: { min: 7 * dayMs, max: 21 * dayMs },
  down: { min: 5 * minuteMs, max: 48 * hourMs },
  partition: { min: 10 * minuteMs, max: 12 * hourMs },
} as const;

/** Shards that one rotten disk has spoilt. */
export const rotten = { min: 1, max: 20 } as const;
