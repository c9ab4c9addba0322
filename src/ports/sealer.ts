/** Seals small secrets to people and opens them again; the sealed form is a literal age v1 file. */
export interface Sealer {
  /** A new hybrid post-quantum identity (AGE-SECRET-KEY-PQ-1...) and its recipient (age1pq1...). */
  generate(): Promise<{ identity: string; recipient: string }>;
  /** The recipient of an identity. @throws HoldfastError wrong-key when the text is no identity. */
  recipientOf(identity: string): Promise<string>;
  seal(recipients: readonly string[], secret: Uint8Array): Promise<Uint8Array>;
  /** @throws HoldfastError wrong-key | corrupt */
  open(identity: string, sealed: Uint8Array): Promise<Uint8Array>;
}

/** Seals the keys of one backup's packs. What it has sealed is forgotten when it is disposed. */
export interface PackSealing extends Pick<Sealer, 'seal'>, AsyncDisposable {
  /** Gets ready, while there is nothing to seal yet: that may take longer than a small backup. */
  begin(recipients: readonly string[]): void;
}
