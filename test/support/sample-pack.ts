import { leafHashes, merkleRoot } from '../../src/core/coding/merkle.ts';
import { packIdOf, type ShardHead, shardSizeOf } from '../../src/core/format/shard.ts';
import type { AgentKey, DatasetId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';

export type SampleShard = { readonly head: ShardHead; readonly bytes: Uint8Array };

/** Shards of a pack, with heads that agree. Their bytes follow from `seed` alone; they are no code words. */
export function samplePack(options: {
  seed: number;
  k?: number;
  m?: number;
  packSize?: number;
}): SampleShard[] {
  const { seed, k = 2, m = 1, packSize = 300_000 } = options;
  const size = shardSizeOf({ k, packSize });
  const shards = Array.from({ length: k + m }, (_, index) => noise(size, seed * 64 + index + 1));
  const leaves = shards.map((bytes) => leafHashes(bytes, limits.leafSize));
  const roots = leaves.map(merkleRoot);
  const pack = packIdOf({ k, m, packSize, roots });
  const dataset = '11'.repeat(16) as DatasetId;
  const writer = '22'.repeat(32) as AgentKey;
  return shards.map((bytes, index) => ({
    head: {
      pack,
      k,
      m,
      packSize,
      roots,
      index,
      dataset,
      writer,
      type: 'data',
      leaves: leaves[index] as Uint8Array,
    },
    bytes,
  }));
}

/** Bytes of leaves from..to-1. */
export function leavesOf({ bytes }: SampleShard, from: number, to?: number): Uint8Array {
  return bytes.subarray(
    from * limits.leafSize,
    to === undefined ? undefined : to * limits.leafSize,
  );
}

/** xorshift32: any bytes that differ from seed to seed. */
function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
