import { assert } from '../../base/assert.ts';
import { shardSizeOf } from '../format/shard.ts';
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

/** Cuts a pack (at least 1 byte) into k data shards, adds m parity shards, hashes the leaves of each. */
export function encodePack(job: {
  readonly pack: Uint8Array;
  readonly k: number;
  readonly m: number;
}): EncodedPack {
  const { pack, k, m } = job;
  assert(pack.length > 0, 'a pack has bytes');
  const data = slices(pack, k);
  if (k === 1) return copies(data[0] as Uint8Array, 1 + m);
  const shards = [...data, ...encodeParity(data, m)];
  const leaves = shards.map((shard) => leafHashes(shard, limits.leafSize));
  return { shards, leaves, roots: leaves.map(merkleRoot) };
}

/** Each slice has memory of its own, so that a shard that was sent can be freed. */
function slices(pack: Uint8Array, k: number): Uint8Array[] {
  const size = shardSizeOf({ k, packSize: pack.length });
  return Array.from({ length: k }, (_, index) => {
    const slice = new Uint8Array(size);
    slice.set(pack.subarray(index * size, (index + 1) * size));
    return slice;
  });
}

/** With one data shard every shard is the pack, so one array and one hashing serve all. */
function copies(shard: Uint8Array, count: number): EncodedPack {
  const leaves = leafHashes(shard, limits.leafSize);
  const root = merkleRoot(leaves);
  const times = <T>(value: T): T[] => Array.from({ length: count }, () => value);
  return { shards: times(shard), leaves: times(leaves), roots: times(root) };
}
