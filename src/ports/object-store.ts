import type { Cancel } from './runtime.ts';

/** Until when the store itself refuses to delete, whoever asks. Milliseconds since 1970. */
export type Retention = {
  readonly mode: 'governance' | 'compliance';
  readonly untilMs: number;
};

export type StoreAbilities = {
  /** It can be told to refuse deletion until a time. */
  readonly canLock: boolean;
  /** What is written over or removed stays readable below until its version is removed too. */
  readonly keepsVersions: boolean;
};

/**
 * Whole objects by name, somewhere else than on this host's own disk: slower, perhaps not there at all, and paid for
 * by the byte. Keys match /^[a-z0-9][a-z0-9./-]{0,199}$/ and have no empty or dotted parts. Nothing is believed of what
 * comes back: whoever reads checks it.
 *
 * All methods throw HoldfastError: store-unreachable (trying later helps) | not-permitted | disk-full | io-error
 */
export interface ObjectStore extends AsyncDisposable {
  /** For people and logs, e.g. "s3://bucket/prefix": never holds a secret. */
  readonly name: string;
  /** As the store says when it is asked. */
  abilities(options?: Cancel): Promise<StoreAbilities>;
  /** Stores bytes under a name that is free; of several that try, one succeeds (not in every store: `target check` tells). Durable when resolved. @returns whether it did */
  create(key: string, bytes: Uint8Array, options?: Cancel): Promise<boolean>;
  /** Stores bytes in the place of what is there. Durable when resolved. */
  replace(key: string, bytes: Uint8Array, options?: Cancel): Promise<void>;
  /** `size` bytes from `from` on, fewer at the end. @returns undefined when there is no such object. */
  read(
    key: string,
    range: { from: number; size: number },
    options?: Cancel,
  ): Promise<Uint8Array | undefined>;
  /** @returns undefined when there is no such object. */
  sizeOf(key: string, options?: Cancel): Promise<number | undefined>;
  /** All objects whose keys begin so. Ends early, with an error, rather than leave some out. */
  list(prefix: string, options?: Cancel): AsyncIterable<{ key: string; size: number }>;
  /** Locks an object, or makes its lock longer. @throws not-permitted where `canLock` is false */
  retain(key: string, retention: Retention, options?: Cancel): Promise<void>;
  /** Deletes an object with all its versions; no-op when there is none. @throws not-permitted while it is locked */
  remove(key: string, options?: Cancel): Promise<void>;
}
