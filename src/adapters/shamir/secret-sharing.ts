import { combine, split } from 'shamir-secret-sharing';
import { assert } from '../../base/assert.ts';

/**
 * Shamir's secret sharing, byte by byte over GF(2^8) with polynomial 0x11b; the last byte of a share is its
 * x. Fewer than `threshold` of them say nothing of the secret but its length.
 * @returns `count` shares, 2 to 255, each one byte longer than the secret
 */
export async function splitSecret(
  secret: Uint8Array,
  { threshold, count }: { readonly threshold: number; readonly count: number },
): Promise<readonly Uint8Array[]> {
  assert(threshold >= 2 && threshold <= count, 'a threshold is among the shares');
  // The library refuses what is no plain Uint8Array, such as a Buffer.
  return split(Uint8Array.from(secret), count, threshold);
}

/**
 * The secret of different shares of one split. It cannot tell a wrong share from a right one: whoever calls it
 * has checked each against its commitment, and checks the result.
 */
export function combineShares(shares: readonly Uint8Array[]): Promise<Uint8Array> {
  return combine(shares.map((share) => Uint8Array.from(share)));
}
