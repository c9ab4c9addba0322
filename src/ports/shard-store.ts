import type { ShardHead } from '../core/format/shard.ts';
import type { PackId } from '../core/ids.ts';

/** The shards that this host holds. Every byte that it hands out has just been checked against its leaf hash. */
export interface ShardStore extends AsyncDisposable {
  /** Indexes held of a pack, ascending; empty when none. Synchronous: asked once per pack of a manifest. */
  indexes(pack: PackId): readonly number[];
  /** @throws HoldfastError not-found | corrupt */
  head(pack: PackId, index: number): Promise<ShardHead>;
  /**
   * Starts or resumes a shard. Its bytes arrive leaf by leaf; each must match the head's leaf hash.
   * Two writers of one shard exclude each other: the second waits, then finds it done.
   * @throws HoldfastError disk-full | corrupt (a head whose hashes do not agree)
   */
  write(head: ShardHead): Promise<ShardWriter>;
  /**
   * Verified bytes of `count` leaves from `leaf` on (fewer at the shard's end).
   * A leaf that fails its hash quarantines the shard: it is no longer listed, its file is kept aside.
   * @throws HoldfastError not-found | corrupt
   */
  read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array>;
  /** Reads a whole shard back. @returns undefined when good, else what is wrong (it is then quarantined). */
  verify(pack: PackId, index: number): Promise<string | undefined>;
  /** Makes all finished shards survive power loss: to be called before a receipt is signed. */
  sync(): Promise<void>;
  remove(pack: PackId, index: number): Promise<void>;
  /** Puts a shard into the trash: it is no longer listed, and can be taken back. No-op when it is not held. */
  discard(pack: PackId, index: number): Promise<void>;
  /** Takes a shard back from the trash. @returns whether it is held now. @throws HoldfastError io-error */
  recover(pack: PackId, index: number): Promise<boolean>;
  /** Deletes a shard that is in the trash. No-op when it is not there. */
  purge(pack: PackId, index: number): Promise<void>;
  /** What is in the trash; `size` of the file. */
  trash(): readonly { pack: PackId; index: number; size: number }[];
  /** Every shard file found, from the files themselves: the index is rebuilt from this. */
  rebuild(): Promise<{ shards: number; quarantined: number }>;
  /** All shards held, or those of packs whose id begins with a byte. */
  list(first?: number): AsyncIterable<{ pack: PackId; index: number; size: number }>;
  usage(): ShardUsage;
}

export type ShardUsage = {
  readonly shards: number;
  readonly bytes: number;
  /** What more may be stored. */
  readonly freeBytes: number;
  /** Why nothing more is stored until the store is opened again: the disk has lost something that it had taken. */
  readonly failure?: string | undefined;
};

/** Shards that can be read. Whoever asks checks the leaves that come. */
export type ShardSource = Pick<ShardStore, 'indexes' | 'head' | 'read'>;

export interface ShardWriter {
  /** The first leaf that is still missing; equals the leaf count when nothing is. */
  readonly nextLeaf: number;
  /**
   * Appends leaves in order; `bytes` is one or more whole leaves (the shard's last may be short).
   * @param options.isOwn this process has just hashed these bytes itself: they need no second look
   */
  append(bytes: Uint8Array, options?: { readonly isOwn?: boolean }): Promise<void>;
  /** File content durable, shard listed. @throws AssertionError before the last leaf. */
  finish(): Promise<void>;
  /** Keeps what has arrived for a later resume. Call once, instead of finish. */
  abandon(): Promise<void>;
}
