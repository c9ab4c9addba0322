import type { AgentKey, DatasetId, PackId } from '../ids.ts';
import type { PackType } from './frame.ts';

/** Everything a keyless peer needs to check one shard: see "Shards" in proto/README.md. */
export type ShardHead = {
  readonly pack: PackId;
  readonly k: number;
  readonly m: number;
  readonly packSize: number;
  /** k + m Merkle roots, 32 bytes each. */
  readonly roots: readonly Uint8Array[];
  readonly index: number;
  /** Leaf hashes of shard `index`, 32 bytes each, concatenated. */
  readonly leaves: Uint8Array;
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  readonly type: PackType;
};
