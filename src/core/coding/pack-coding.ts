import { assert } from '../../base/assert.ts';
import { uncleared } from '../../base/uncleared.ts';
import { shardSizeOf } from '../format/shard-size.ts';
import { limits } from '../limits.ts';
import { leafHashes, merkleRoot } from './merkle.ts';
import { encodeParity } from './reed-solomon.ts';

/** A pack as it goes to its holders; arrays may be shared between equal shards (k = 1): do not change them. */
export type EncodedPack = {
  /** k + m shards of equal size; index i < k is the pack's i-th slice, zero-padded at the end. */
  readonly shards: readonly Uint8Array[];
  /** Leaf hashes of each shard, 32 bytes each, concatenated. */
  readonly leaves: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
};

/**
 * Cuts a pack (at least 1 byte) into k data shards, adds m parity shards, hashes the leaves of each.
 * @param job.parts the pack, in pieces of any size: putting them together is part of the work.
 */
export function encodePack(job: {
  readonly parts: readonly Uint8Array[];
  readonly k: number;
  readonly m: number;
}): EncodedPack {
  const { parts, k, m } = job;
  const data = slices(parts, k);
  if (k === 1) return copies(data[0] as Uint8Array, 1 + m);
  const shards = [...data, ...encodeParity(data, m)];
  const leaves = shards.map((shard) => leafHashes(shard, limits.leafSize));
  return { shards, leaves, roots: leaves.map(merkleRoot) };
}

/** Each slice has memory of its own, so that a shard that was sent can be freed. */
function slices(parts: readonly Uint8Array[], k: number): Uint8Array[] {
  const packSize = parts.reduce((sum, part) => sum + part.length, 0);
  assert(packSize > 0, 'a pack has bytes');
  const size = shardSizeOf({ k, packSize });
  const slices = Array.from({ length: k }, () => uncleared(size));
  let at = 0;
  for (const part of parts) {
    for (let done = 0; done < part.length; ) {
      const slice = slices[Math.floor(at / size)] as Uint8Array;
      const piece = part.subarray(done, done + size - (at % size));
      slice.set(piece, at % size);
      done += piece.length;
      at += piece.length;
    }
  }
  for (; at < k * size; at += size - (at % size)) {
    (slices[Math.floor(at / size)] as Uint8Array).fill(0, at % size);
  }
  return slices;
}

/** With one data shard every shard is the pack, so one array and one hashing serve all. */
function copies(shard: Uint8Array, count: number): EncodedPack {
  const leaves = leafHashes(shard, limits.leafSize);
  const root = merkleRoot(leaves);
  const times = <T>(value: T): T[] => Array.from({ length: count }, () => value);
  return { shards: times(shard), leaves: times(leaves), roots: times(root) };
}
