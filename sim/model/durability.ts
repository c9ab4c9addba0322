import { assert } from '../../src/base/assert.ts';
import type { Code } from '../../src/core/policy/code-choice.ts';
import { stationary } from './stationary.ts';

/** How the shards of one pack lie: each on a host of its own, as evenly over the sites as can be. */
export type Layout = {
  /** Any that many shards rebuild the pack. */
  readonly k: number;
  readonly shards: number;
  readonly sites: number;
};

/** What breaks, per year, and how long a loss stays unrepaired. */
export type Hazards = {
  /** Permanent losses of one host a year, its disk and all. */
  readonly hostLossRate: number;
  /** Permanent losses of one site a year, with every host there. */
  readonly siteLossRate: number;
  /** Mean time from the first missing shard until all are back, detection included, in years. */
  readonly repairYears: number;
};

/** The layout that the product uses: one shard, or one full copy, a site. */
export function layoutOf(code: Code): Layout {
  return { k: code.k, shards: code.sites, sites: code.sites };
}

/** Shards at each site when nothing is missing. */
export function shardsPerSite({ shards, sites }: Layout): number[] {
  assert(sites >= 1 && shards >= sites, 'no site is without a shard');
  return Array.from({ length: sites }, (_, i) => Math.ceil((shards - i) / sites));
}

/**
 * Mean years until a pack that starts with all its shards cannot be rebuilt any more. Exact for the Markov
 * chain whose states say how many shards each site still has: every host and every site is lost at its own
 * rate, and one repair brings everything back at rate 1/repairYears.
 */
export function meanYearsToLoss(layout: Layout, hazards: Hazards): number {
  const { states, rates } = chainOf(layout, hazards);
  const size = states.length + 1;
  // A lost pack is replaced by a whole one at rate 1: the chain then never ends, and how often it is lost follows.
  rates[(size - 1) * size] = 1;
  const shares = stationary(rates, size);
  let whole = 0;
  for (let state = 0; state < size - 1; state++) whole += shares[state] as number;
  return whole / (shares[size - 1] as number);
}

/** The chance that a pack is lost within a year, in the long run, all losses being repaired. */
export function annualLoss(layout: Layout, hazards: Hazards): number {
  return -Math.expm1(-1 / meanYearsToLoss(layout, hazards));
}

/**
 * The chance that a pack with one shard a site, whole now, is lost within `years` when nobody repairs:
 * fewer than k of its shards outlive that time.
 */
export function lossWithoutRepair(layout: Layout, hazards: Hazards, years: number): number {
  assert(layout.shards === layout.sites, 'one shard a site');
  const rate = hazards.hostLossRate + hazards.siteLossRate;
  const alive = Math.exp(-rate * years);
  const gone = -Math.expm1(-rate * years);
  let sum = 0;
  let ways = 1;
  for (let left = 0; left < layout.k; left++) {
    sum += ways * alive ** left * gone ** (layout.shards - left);
    ways = (ways * (layout.shards - left)) / (left + 1);
  }
  return sum;
}

/** The chance that at least one of `count` things is lost, each with chance `loss`, if they fail apart. */
export function lossOfAny(loss: number, count: number): number {
  return -Math.expm1(count * Math.log1p(-loss));
}

/** More would claim what no model knows: errors of people and programs decide long before. */
export const ninesMax = 11;

/** How many nines a chance of loss leaves, rounded down to one decimal. */
export function nines(loss: number): number {
  if (loss <= 0) return ninesMax;
  return Math.max(0, Math.min(ninesMax, Math.floor(-Math.log10(loss) * 10) / 10));
}

type Chain = {
  /** Shards left at each site, most first; the first state is the whole pack. */
  readonly states: readonly (readonly number[])[];
  /** The last row and column, after those of `states`, are of the lost pack. */
  readonly rates: Float64Array;
};

function chainOf(layout: Layout, hazards: Hazards): Chain {
  const states = [shardsPerSite(layout)];
  const numbers = new Map([[String(states[0]), 0]]);
  const steps: { from: number; to: number; rate: number }[] = [];
  for (let from = 0; from < states.length; from++) {
    for (const { left, rate } of lossesFrom(states[from] as number[], hazards)) {
      let to = sum(left) < layout.k ? -1 : numbers.get(String(left));
      if (to === undefined) {
        to = states.push(left) - 1;
        numbers.set(String(left), to);
      }
      steps.push({ from, to, rate });
    }
    if (from > 0) steps.push({ from, to: 0, rate: 1 / hazards.repairYears });
  }
  const size = states.length + 1;
  const rates = new Float64Array(size * size);
  for (const { from, to, rate } of steps) {
    const at = from * size + (to < 0 ? size - 1 : to);
    rates[at] = (rates[at] as number) + rate;
  }
  return { states, rates };
}

function lossesFrom(
  counts: readonly number[],
  hazards: Hazards,
): { left: number[]; rate: number }[] {
  return counts.flatMap((count, site) => {
    if (count === 0) return [];
    const without = (left: number): number[] => counts.with(site, left).sort((a, b) => b - a);
    const losses = [{ left: without(count - 1), rate: count * hazards.hostLossRate }];
    if (hazards.siteLossRate > 0) losses.push({ left: without(0), rate: hazards.siteLossRate });
    return losses;
  });
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}
