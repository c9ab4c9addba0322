/** Entries of this host's audit log, in order, on disk. */
export interface AuditStore {
  /** Of this log: 1, and one more each time that a damaged one was put aside. */
  readonly number: number;
  /** Numbers of the logs that were put aside here, because they were damaged or by hand; ascending. */
  readonly putAside: readonly number[];
  /** Entries that stand here. */
  readonly size: number;
  /** Appends entries, each of 1 to 65535 bytes; durable when resolved. @throws HoldfastError disk-full | io-error */
  append(entries: readonly Uint8Array[]): Promise<void>;
  /** Up to `count` entries from the index `from` on. @throws HoldfastError corrupt | io-error */
  read(from: number, count: number): Promise<Uint8Array[]>;
}
