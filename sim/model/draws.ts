import type { Prng } from '../prng.ts';

/** Between 0 and 1, never either: its logarithm is finite. */
export function uniform(prng: Prng): number {
  return (prng.next() + 0.5) / 2 ** 32;
}

/** The time until the next event of a Poisson process. `rate`: events per unit of time; 0 gives infinity. */
export function exponential(prng: Prng, rate: number): number {
  return -Math.log(uniform(prng)) / rate;
}

/** Mean 0, variance 1 (Box and Muller, 1958). */
export function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(uniform(prng))) * Math.cos(2 * Math.PI * uniform(prng));
}
