import { Prng } from '../prng.ts';
import { type Lie, lies } from './liar.ts';

/** Takes, or spoils, what is on a disk: only at hosts that the cluster may lose. */
export type HarmKind =
  | 'rot'
  | 'misdirected'
  | 'lost-write'
  | 'rot-fact'
  | 'roll-back'
  | 'lose-shards'
  | 'burn'
  | 'clone'
  | 'equivocate';

/** One piece of trouble; `agent` is a number, taken modulo how many there are. */
export type DataFault = { readonly atMs: number; readonly spanMs: number } & (
  | {
      readonly kind:
        | 'crash'
        | 'stop'
        | 'slow-disk'
        | 'full-disk'
        | 'failing-disk'
        | 'lose-index'
        | 'isolate'
        | HarmKind;
      readonly agent: number;
    }
  /** A source dies so long after its next backup has begun. */
  | { readonly kind: 'crash-backup'; readonly delayMs: number }
  /** Whoever signs next dies so long after that. */
  | { readonly kind: 'crash-signer'; readonly delayMs: number }
  | { readonly kind: 'cut'; readonly agent: number; readonly to: number }
  | { readonly kind: 'split'; readonly mask: number }
  /** Two halves that one host alone reaches. */
  | { readonly kind: 'bridge'; readonly mask: number; readonly agent: number }
  /** One host after another is cut off; they come back in another order. */
  | { readonly kind: 'swizzle'; readonly mask: number }
  | { readonly kind: 'weather'; readonly resetPerMille: number; readonly delayMaxMs: number }
  | {
      readonly kind: 'clock';
      readonly agent: number;
      readonly ratePerMille: number;
      readonly skewMs: number;
    }
);

export type DataFaultKind = DataFault['kind'];

/** Everything about a run that is drawn before it begins. */
export type DataPlan = {
  readonly durationMs: number;
  /** Members from the beginning, each at a site of its own. */
  readonly siteCount: number;
  readonly surviveSites: number;
  readonly hasNewcomer: boolean;
  /** 0: every change of a file has a time of its own. */
  readonly tickMs: number;
  readonly hasSmallDisks: boolean;
  /** Numbers of the hosts whose disks or words cannot be relied on. */
  readonly victims: readonly number[];
  readonly lie: Lie | undefined;
  /** The policy wants full copies at a site, for some time. */
  readonly hot: HotPlan | undefined;
  readonly faults: readonly DataFault[];
};

export type HotPlan = {
  /** Number of the host whose site it is. */
  readonly agent: number;
  readonly fromMs: number;
  /** Undefined: until the end. */
  readonly untilMs: number | undefined;
};

const harmKinds: readonly HarmKind[] = [
  'rot',
  'misdirected',
  'lost-write',
  'rot-fact',
  'roll-back',
  'lose-shards',
  'burn',
  'clone',
  'equivocate',
];
const kinds: readonly DataFaultKind[] = [
  'crash',
  'stop',
  'slow-disk',
  'full-disk',
  'failing-disk',
  'lose-index',
  'isolate',
  'crash-backup',
  'crash-signer',
  'cut',
  'split',
  'bridge',
  'swizzle',
  'weather',
  'clock',
];
const faultsMax = 14;
const harmsMax = 4;

/**
 * Each seed knows some kinds of trouble only. The budget: what cannot be made good again befalls as many
 * hosts as the policy says may be lost; in one of eight seeds, any number of them.
 */
export function dataPlanOf(seed: number): DataPlan {
  const random = new Prng(seed);
  const durationMs = random.between(60_000, 150_000);
  const siteCount = random.between(3, 6);
  const surviveSites = Math.min(random.between(1, 2), siteCount - 1);
  const isOverBudget = random.chance(125);
  const victimsMax = isOverBudget ? siteCount : surviveSites;
  const victims = shuffled(siteCount, random).slice(0, random.between(0, victimsMax));
  const enabled = kinds.filter(() => random.chance(350));
  const harms = harmKinds.filter(() => random.chance(350));
  const faults: DataFault[] = [];
  const count = enabled.length === 0 ? 0 : random.between(1, faultsMax);
  for (let i = 0; i < count; i++) faults.push(draw(random, random.pick(enabled), durationMs));
  const harmCount = harms.length === 0 || victims.length === 0 ? 0 : random.between(1, harmsMax);
  for (let i = 0; i < harmCount; i++) {
    const fault = draw(random, random.pick(harms), durationMs);
    faults.push({ ...fault, agent: random.pick(victims) } as DataFault);
  }
  const hasNewcomer = random.chance(300);
  const tickMs = random.pick([0, 4, 40]);
  const hasSmallDisks = random.chance(100);
  const lie = victims.length > 0 && random.chance(350) ? random.pick(lies) : undefined;
  return {
    durationMs,
    siteCount,
    surviveSites,
    hasNewcomer,
    tickMs,
    hasSmallDisks,
    victims,
    lie,
    hot: random.chance(300) ? hotPlanOf(random, { durationMs, siteCount }) : undefined,
    faults: faults.sort((a, b) => a.atMs - b.atMs),
  };
}

function hotPlanOf(
  random: Prng,
  { durationMs, siteCount }: Pick<DataPlan, 'durationMs' | 'siteCount'>,
): HotPlan {
  const fromMs = random.below(Math.floor(durationMs / 2));
  const untilMs = random.chance(600) ? fromMs + random.between(20_000, durationMs) : undefined;
  return { agent: random.below(siteCount), fromMs, untilMs };
}

function shuffled(count: number, random: Prng): number[] {
  const left = Array.from({ length: count }, (_, i) => i);
  const order: number[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}

function draw(random: Prng, kind: DataFaultKind, durationMs: number): DataFault {
  const atMs = random.below(durationMs);
  const spanMs = random.pick([300, 3000, 12_000, 40_000]) + random.below(1000);
  const at = { atMs, spanMs };
  const agent = random.below(16);
  const mask = random.below(64);
  switch (kind) {
    case 'crash-backup':
      return { ...at, kind, delayMs: random.pick([0, 5, 50, 300, 1500, 4000]) };
    case 'crash-signer':
      return { ...at, kind, delayMs: random.pick([0, 1, 5, 20, 60]) };
    case 'cut':
      return { ...at, kind, agent, to: random.below(16) };
    case 'split':
    case 'swizzle':
      return { ...at, kind, mask };
    case 'bridge':
      return { ...at, kind, mask, agent };
    case 'weather': {
      const resetPerMille = random.pick([0, 20, 100, 250]);
      return { ...at, kind, resetPerMille, delayMaxMs: random.pick([40, 400, 2500]) };
    }
    case 'clock': {
      const skewMs = random.pick([-86_400_000, -60_000, -500, 500, 60_000, 86_400_000]);
      return { ...at, kind, agent, ratePerMille: random.pick([600, 900, 1100, 1600]), skewMs };
    }
    default:
      return { ...at, kind, agent };
  }
}
