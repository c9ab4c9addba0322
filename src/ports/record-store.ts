/**
 * Small records that this host must not lose or mistake. Names are 1 to 160 of a-z 0-9 . _ -. A record that is
 * damaged is never read as none.
 */
export interface RecordStore {
  /** @throws HoldfastError corrupt | io-error */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Replaces the record (at most 64 KiB); durable when resolved. @throws HoldfastError disk-full | io-error */
  write(name: string, record: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  /** Sorted. */
  names(): Promise<readonly string[]>;
}
