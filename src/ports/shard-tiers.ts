import type { PackId } from '../core/ids.ts';
import type { Retention } from './object-store.ts';
import type { Cancel } from './runtime.ts';

/** What reading from the cold store costs, as far as this host knows. */
export type ColdTerms = {
  /** From the question to the first byte; measured, or as configured. */
  readonly delayMs: number;
  /** For people, of a GiB that is read: "0.09 EUR"; undefined: not configured. */
  readonly pricePerGiB?: string;
};

/** Where this host keeps what it holds: on its own disk (warm), or in a store that is slower and cheaper (cold). */
export interface ShardTiers {
  /** Of the cold store, for people. */
  readonly name: string;
  readonly terms: ColdTerms;
  /** Indexes of a pack that are cold, ascending. Synchronous, as `ShardStore.indexes`. */
  cold(pack: PackId): readonly number[];
  /** Of the shards that are cold. */
  coldUsage(): { shards: number; bytes: number };
  /** Whether the store is there, is ours, and what it can do. @throws HoldfastError store-unreachable | config-invalid */
  look(options?: Cancel): Promise<{ canLock: boolean; keepsVersions: boolean }>;
  /**
   * Moves a shard to the cold store: written there, read back whole, and only then dropped here. Interrupted at any
   * place, the shard is still held; done again, it goes on. No-op for one that is not warm.
   * @throws HoldfastError store-unreachable | corrupt | io-error
   */
  freeze(shard: { pack: PackId; index: number }, options?: Cancel): Promise<void>;
  /** Brings a shard back. What the cold store must keep stays there too. @throws as freeze, and disk-full */
  thaw(shard: { pack: PackId; index: number }, options?: Cancel): Promise<void>;
  /** Has the cold store refuse to delete what it holds of a pack. No-op when that is so already. */
  retain(pack: PackId, retention: Retention, options?: Cancel): Promise<void>;
  /** Whether a cold shard is still there, without reading it. @returns undefined when so, else what is wrong */
  glance(pack: PackId, index: number): Promise<string | undefined>;
}
