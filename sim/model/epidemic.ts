import { type Code, chooseCode } from '../../src/core/policy/code-choice.ts';
import type { Prng } from '../prng.ts';
import { annualLoss, type Hazards, layoutOf, lossOfAny } from './durability.ts';
import { environments } from './environments.ts';
import { type Spread, spreadBounded, spreadShipped } from './head-spread.ts';
import { daysPerYear, runYears, type TenYears } from './ten-years.ts';
import {
  type Design,
  dailyTraffic,
  headsLeftOut,
  packSize,
  packsPerAgent,
  type Traffic,
} from './traffic.ts';

export type Scale = { readonly agents: number; readonly sites: number };

/** From a family, over the most that is documented (limits.membersMax), to a federation. */
export const scales: readonly Scale[] = [
  { agents: 5, sites: 5 },
  { agents: 50, sites: 10 },
  { agents: 200, sites: 20 },
  { agents: 500, sites: 50 },
  { agents: 5_000, sites: 500 },
  { agents: 10_000, sites: 1_000 },
];

export const designs: readonly Design[] = ['shipped', 'bounded'];
const surviveSites = 2;
const backupsPerDay = 1;
const repairDays = 2;
/** Small offices, and two days from a loss to its repair. */
const hazards: Hazards = { ...environments.B, repairYears: repairDays / daysPerYear };

export type ScaleResult = Scale & {
  readonly code: Code;
  readonly years: number;
  readonly history: TenYears;
  readonly onlineShare: number;
  /** Of the agents, on the worst day of all. */
  readonly onlineShareLeast: number;
  readonly traffic: Readonly<Record<Design, Traffic>>;
  readonly leftOut: number;
  readonly spreads: Readonly<Record<Design, readonly Spread[]>>;
  readonly samplePacks: number;
  /** Sent and read for repair, by an agent, a day. */
  readonly repairBytes: Series;
  /** Chance of a lost pack a year, by the Markov chain. */
  readonly packLoss: number;
  /** What the chain says the sample loses in all years. */
  readonly packsLostExpected: number;
  readonly anyLoss: readonly AnyLoss[];
};

/** The chance that a year costs any pack of the cluster. */
export type AnyLoss = {
  readonly survives: number;
  /** Each pack lies where its own lot put it, as shipped. */
  readonly scattered: number;
  /** All packs of a source lie at the same hosts. */
  readonly together: number;
};

export type Series = { readonly mean: number; readonly p99: number; readonly max: number };

/** Everything about one size of cluster. `heads`: statements whose way is followed one by one. */
export function runScale(
  scale: Scale,
  options: { prng: Prng; years: number; heads: number; samplePacks: number },
): ScaleResult {
  const { prng, years, samplePacks } = options;
  const code = chooseCode({ siteCount: scale.sites, surviveSites });
  const layout = layoutOf(code);
  const history = runYears({ ...scale, layout, hazards, samplePacks, years }, prng.fork());
  const onlineShares = history.days.map((day) => day.onlineShare);
  const onlineShare = mean(onlineShares);
  const online = Math.max(2, Math.round(onlineShare * scale.agents));
  const load = { online, members: scale.agents, backupsPerDay };
  const packLoss = annualLoss(layout, hazards);
  return {
    ...scale,
    code,
    years,
    history,
    onlineShare,
    onlineShareLeast: onlineShares.reduce((least, share) => Math.min(least, share), 1),
    traffic: {
      shipped: dailyTraffic('shipped', load),
      bounded: dailyTraffic('bounded', load),
    },
    leftOut: headsLeftOut(scale.agents),
    spreads: {
      shipped: followHeads(options.heads, () => spreadShipped(online, scale.agents, prng.fork())),
      bounded: followHeads(options.heads, () => spreadBounded(online, prng.fork())),
    },
    samplePacks,
    repairBytes: repairOf(history, { code, samplePacks }),
    packLoss,
    packsLostExpected: packLoss * samplePacks * years,
    anyLoss: [surviveSites, surviveSites + 1].map((survives) => anyLossOf(scale, survives)),
  };
}

function anyLossOf({ agents, sites }: Scale, surviveSites: number): AnyLoss {
  const code = chooseCode({ siteCount: sites, surviveSites });
  const loss = annualLoss(layoutOf(code), hazards);
  // As many hosts as shards: every pack lies at all of them, and all are lost together.
  const sets = agents === code.sites ? { scattered: 1, together: 1 } : undefined;
  return {
    survives: code.survives,
    scattered: lossOfAny(loss, sets?.scattered ?? packsPerAgent * agents),
    together: lossOfAny(loss, sets?.together ?? agents),
  };
}

function followHeads(count: number, follow: () => Spread): Spread[] {
  return Array.from({ length: count }, follow);
}

/** Each rebuilt shard costs k shards read from others and one sent on. */
export function repairBytesPerShard({ k }: Code): number {
  return ((k + 1) * packSize) / k;
}

function repairOf(
  history: TenYears,
  { code, samplePacks }: { code: Code; samplePacks: number },
): Series {
  const each = (packsPerAgent / samplePacks) * repairBytesPerShard(code);
  return seriesOf(history.days.map((day) => day.repairs * each));
}

export function seriesOf(values: readonly number[]): Series {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] as number;
  return { mean: mean(values), p99: at(0.99), max: at(1) };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
