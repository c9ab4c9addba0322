import { equal } from '../base/bytes.ts';
import { leafHashes, merkleRoot } from '../core/coding/merkle.ts';
import { limits } from '../core/limits.ts';
import type { Compute } from '../ports/compute.ts';

/** A shard that was made of others of its pack. */
export type ComputedShard = {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** Leaf hashes, 32 bytes each, and their Merkle root. */
  readonly leaves: Uint8Array;
  readonly root: Uint8Array;
  /** The root is the one that the pack's id names. Else those it was made of were not encoded together. */
  readonly isRight: boolean;
};

/**
 * Makes the shards `wanted` of k others, whose bytes may be given away to a thread.
 * @param roots of all shards of the pack, by their index
 */
export async function computeShards(
  compute: Pick<Compute, 'reconstruct'>,
  job: Parameters<Compute['reconstruct']>[0],
  roots: readonly Uint8Array[],
): Promise<ComputedShard[]> {
  if (job.wanted.length === 0) return [];
  const { k, m, wanted } = job;
  const present = job.present.map(({ index, bytes }) => ({ index, bytes }));
  const made = await compute.reconstruct({ k, m, present, wanted });
  return wanted.map((index, i) => {
    const bytes = made[i] as Uint8Array;
    const leaves = leafHashes(bytes, limits.leafSize);
    const root = merkleRoot(leaves);
    return { index, bytes, leaves, root, isRight: equal(root, roots[index] as Uint8Array) };
  });
}
