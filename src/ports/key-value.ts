export type KeyValueOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/**
 * An ordered index on this host. Never the only home of anything that a peer relies on: losing it costs
 * time, never data. Keys order by unsigned byte.
 */
export interface KeyValue extends AsyncDisposable {
  /** The value, or undefined. Synchronous: looked up once per chunk and directory. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** All or nothing. With `durable`, survives power loss once resolved. */
  batch(operations: readonly KeyValueOperation[], options?: { durable?: boolean }): Promise<void>;
  /** Entries with `from <= key < to`, in key order, without holding them all in memory. */
  range(from: Uint8Array, to: Uint8Array): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>;
}
