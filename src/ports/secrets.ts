/** Small secrets of this host, readable by its owner alone. */
export interface SecretStore {
  read(name: string): Promise<Uint8Array | undefined>;
  /** Durable when resolved. */
  write(name: string, secret: Uint8Array): Promise<void>;
}
