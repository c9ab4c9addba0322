import type { Entropy } from '../ports/runtime.ts';

/** A number from 0 to below `count` that nobody can foresee; 0 where there is nothing to choose from. */
export function numberBelow(entropy: Pick<Entropy, 'bytes'>, count: number): number {
  // So many bits that the remainder favours none that anybody could tell.
  const number = entropy.bytes(6).reduce((value, byte) => value * 256 + byte, 0);
  return number % Math.max(1, count);
}
