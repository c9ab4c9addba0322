import { assert } from '../../src/base/assert.ts';
import type { Prng } from '../prng.ts';
import { exponential, uniform } from './draws.ts';
import { type Hazards, type Layout, shardsPerSite } from './durability.ts';

export type Estimate = {
  /** Chance of loss within a year. */
  readonly annualLoss: number;
  /** The true value lies between these in 999 of 1,000 runs. */
  readonly low: number;
  readonly high: number;
};

/** Of a normal distribution: 99.9 % lie within. */
const confidenceDeviations = 3.29;
/** How often the next event is made a loss while a repair is under way: enough to see the pack die. */
const lossShare = 0.6;
/** How often a loss is that of a site, which takes several shards and is rarer than that of a host. */
const siteShareMin = 0.3;

/** A running mean and its standard error. */
class Mean {
  #count = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#squares += value * value;
  }

  get value(): number {
    return this.#sum / this.#count;
  }

  /** Of the mean, as a share of it. */
  get relativeError(): number {
    const variance = Math.max(0, this.#squares / this.#count - this.value ** 2);
    return Math.sqrt(variance / this.#count) / this.value;
  }
}

/** One pack: hosts and sites that are lost one by one. Knows nothing of the chain that it is to check. */
class Pack {
  readonly #layout: Layout;
  readonly #hazards: Hazards;
  readonly #siteOf: readonly number[];
  readonly #alive: boolean[];
  #left: number;

  constructor(layout: Layout, hazards: Hazards) {
    this.#layout = layout;
    this.#hazards = hazards;
    this.#siteOf = shardsPerSite(layout).flatMap((count, site) => new Array(count).fill(site));
    this.#alive = new Array(layout.shards).fill(true);
    this.#left = layout.shards;
  }

  get isLost(): boolean {
    return this.#left < this.#layout.k;
  }

  get lossRate(): number {
    const { hostLossRate, siteLossRate } = this.#hazards;
    return this.#left * hostLossRate + this.#sitesLeft().length * siteLossRate;
  }

  /**
   * One host or one site: a site as often as its rate says, but at least with chance `siteShareMin`.
   * @returns the true over the played likelihood.
   */
  lose(prng: Prng, { siteShareMin }: { siteShareMin: number }): number {
    const hosts = this.#left * this.#hazards.hostLossRate;
    const trueShare = 1 - hosts / this.lossRate;
    const siteShare = trueShare <= 0 ? 0 : Math.max(trueShare, siteShareMin);
    const isSite = uniform(prng) < siteShare;
    this.#remove(prng, isSite);
    return isSite ? trueShare / siteShare : (1 - trueShare) / (1 - siteShare);
  }

  #remove(prng: Prng, isSite: boolean): void {
    if (!isSite) {
      const hosts = this.#alive.flatMap((isAlive, host) => (isAlive ? [host] : []));
      this.#alive[prng.pick(hosts)] = false;
    } else {
      const site = prng.pick(this.#sitesLeft());
      for (const [host, at] of this.#siteOf.entries()) if (at === site) this.#alive[host] = false;
    }
    this.#left = this.#alive.filter((isAlive) => isAlive).length;
  }

  #sitesLeft(): number[] {
    return [...new Set(this.#siteOf.filter((_, host) => this.#alive[host]))];
  }
}

/**
 * The annual loss by playing single losses and repairs. A life is a row of cycles, each from a whole pack to the
 * next whole one; loss in a cycle is rare, so there losses are made more likely, and each cycle counts with
 * the ratio of its true to its played likelihood (balanced by cycle: Goyal et al., 1992). How long cycles
 * last comes from other cycles, played as they are.
 */
export function simulateLoss(
  layout: Layout,
  hazards: Hazards,
  { prng, cycles }: { prng: Prng; cycles: number },
): Estimate {
  assert(cycles >= 100, 'an error of the mean needs many cycles');
  const lost = new Mean();
  const years = new Mean();
  for (let i = 0; i < cycles; i++) {
    lost.add(playLoss(layout, hazards, prng));
    years.add(playYears(layout, hazards, prng));
  }
  const rate = lost.value / years.value;
  const margin = confidenceDeviations * Math.hypot(lost.relativeError, years.relativeError);
  const chance = (perYear: number): number => -Math.expm1(-perYear);
  return {
    annualLoss: chance(rate),
    low: chance(rate * Math.max(0, 1 - margin)),
    high: chance(rate * (1 + margin)),
  };
}

/** @returns the likelihood ratio of a cycle that ends in loss, 0 of any other. */
function playLoss(layout: Layout, hazards: Hazards, prng: Prng): number {
  const pack = new Pack(layout, hazards);
  const repairRate = 1 / hazards.repairYears;
  const siteShare = { siteShareMin };
  let ratio = pack.lose(prng, siteShare);
  for (; !pack.isLost; ratio *= pack.lose(prng, siteShare)) {
    const { lossRate } = pack;
    const trueShare = lossRate / (lossRate + repairRate);
    const share = Math.max(trueShare, lossShare);
    if (uniform(prng) >= share) return 0;
    ratio *= trueShare / share;
  }
  return ratio;
}

/** @returns how long one cycle lasts. */
function playYears(layout: Layout, hazards: Hazards, prng: Prng): number {
  const pack = new Pack(layout, hazards);
  const repairRate = 1 / hazards.repairYears;
  let years = exponential(prng, pack.lossRate);
  const asItIs = { siteShareMin: 0 };
  for (pack.lose(prng, asItIs); !pack.isLost; pack.lose(prng, asItIs)) {
    const { lossRate } = pack;
    years += exponential(prng, lossRate + repairRate);
    if (uniform(prng) * (lossRate + repairRate) < repairRate) break;
  }
  return years;
}
