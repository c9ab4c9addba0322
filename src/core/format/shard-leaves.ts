import { equal } from '../../base/bytes.ts';
import { leafHashes } from '../coding/merkle.ts';
import { HoldfastError } from '../errors.ts';
import { limits } from '../limits.ts';
import { checkLeaf, leafCountOf, leafSizeAt, type ShardHead, shardSizeOf } from './shard.ts';

/** Where leaf `leaf` of a shard begins; the shard's size for the one after the last. */
export function bytesBefore(head: Pick<ShardHead, 'k' | 'packSize'>, leaf: number): number {
  return Math.min(leaf * limits.leafSize, shardSizeOf(head));
}

/**
 * Takes bytes that arrived as leaves from `leaf` on. Sizes are foreign data too: a peer must not be able to stop the
 * agent.
 * @param options.isOwn this process has just hashed these bytes itself: only their sizes are looked at
 * @returns the leaf after them. @throws HoldfastError corrupt (not exactly whole leaves of this shard)
 */
export function takeLeaves(
  head: ShardHead,
  leaf: number,
  bytes: Uint8Array,
  { isOwn = false } = {},
): number {
  let next = leaf;
  for (let at = 0; at < bytes.length; next++) {
    const size = leafSizeAt(head, next);
    const leafBytes = bytes.subarray(at, at + size);
    const isGood = isOwn ? leafBytes.length === size : checkLeaf(head, next, leafBytes);
    if (size === 0 || !isGood) {
      throw new HoldfastError(
        'corrupt',
        `the bytes received for shard ${head.index} of pack ${head.pack} fail at leaf ${next}`,
        { details: { pack: head.pack, index: head.index, leaf: next } },
      );
    }
    at += size;
  }
  return next;
}

/** Leaves one after another, and what each must hash to (32 bytes each): all there is to checking them. */
export type LeavesToCheck = { readonly bytes: Uint8Array; readonly hashes: Uint8Array };

/** `bad`: which of the leaves is the first that is wrong. */
export type CheckedLeaves = { readonly bytes: Uint8Array; readonly bad: number | undefined };

/** Of the right sizes: all but the last leaf of a shard are full. */
export function checkLeaves({ bytes, hashes }: LeavesToCheck): CheckedLeaves {
  const found = leafHashes(bytes, limits.leafSize);
  for (let at = 0; at < Math.max(found.length, hashes.length); at += 32) {
    if (equal(found.subarray(at, at + 32), hashes.subarray(at, at + 32))) continue;
    return { bytes, bad: at / 32 };
  }
  return { bytes, bad: undefined };
}

/** The first of the leaves in `bytes`, which begin with leaf `leaf`, that is not what it must be; undefined: all good. */
export function badLeaf(head: ShardHead, leaf: number, bytes: Uint8Array): number | undefined {
  for (let at = leaf, from = 0; from < bytes.length; at++) {
    const size = leafSizeAt(head, at);
    if (size === 0 || !checkLeaf(head, at, bytes.subarray(from, from + size))) return at;
    from += size;
  }
  return undefined;
}

/** Where the leaves from `leaf` on lie among a shard's bytes: at most `count`, fewer at its end. */
export function leafRange(
  head: Pick<ShardHead, 'k' | 'packSize'>,
  leaf: number,
  count: number,
): { from: number; size: number } {
  const end = Math.min(leaf + count, leafCountOf(head));
  const from = bytesBefore(head, leaf);
  return { from, size: Math.max(0, bytesBefore(head, end) - from) };
}
