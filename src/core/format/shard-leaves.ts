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
