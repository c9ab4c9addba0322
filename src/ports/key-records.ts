import type { FactHash } from '../core/ids.ts';

/** Key records on this host: facts that can be listed, and deleted for good. */
export interface KeyRecordStore {
  list(): Promise<readonly FactHash[]>;
  /** Undefined when it is not here, or is damaged: it is had again from any member. */
  get(hash: FactHash): Promise<Uint8Array | undefined>;
  has(hash: FactHash): Promise<boolean>;
  /** Durable when resolved. Callers pass bytes whose hash they have checked. */
  put(hash: FactHash, record: Uint8Array): Promise<void>;
  /** Overwritten, then removed, as far as the file system lets one. No-op when it is not here. */
  remove(hash: FactHash): Promise<void>;
}

/** Makes the keys of epochs. */
export interface EpochMint {
  /**
   * A new identity, sealed once for each group of recipients, and forgotten: nothing here has ever held it that
   * outlives this call. @returns its recipient, and an age file for each group.
   */
  mint(
    groups: readonly (readonly string[])[],
  ): Promise<{ readonly recipient: string; readonly files: readonly Uint8Array[] }>;
}
