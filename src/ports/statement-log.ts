/**
 * The append-only home of signed statements: one sequence per (writer, stream).
 * Knows nothing of their meaning; callers verify before they append.
 */
export interface StatementLog extends AsyncDisposable {
  /** Every sequence held, with its newest entry's position and hash. */
  heads(): readonly LogHead[];
  head(stream: StreamName): LogHead | undefined;
  /**
   * Adds the entry that follows the head. Durable when resolved.
   * @throws AssertionError when `sequence` is not head + 1: callers check first.
   */
  append(
    stream: StreamName,
    entry: { sequence: number; hash: Uint8Array; envelope: Uint8Array },
  ): Promise<void>;
  /** Encoded envelopes of sequences from..from+count-1, as far as held. */
  read(stream: StreamName, from: number, count: number): Promise<Uint8Array[]>;
  /** Names of files that were found damaged and put aside, for as long as they lie there. @throws HoldfastError io-error */
  putAside(): Promise<readonly string[]>;
}

/** A sequence's name: the writer's public key in hexadecimal, and the stream. */
export type StreamName = { readonly writer: string; readonly stream: string };

export type LogHead = StreamName & { readonly sequence: number; readonly hash: Uint8Array };

/** Small content-addressed records in clear (at most limits.factSizeMax bytes). */
export interface FactStore {
  get(hash: Uint8Array): Promise<Uint8Array | undefined>;
  has(hash: Uint8Array): Promise<boolean>;
  /** Durable when resolved. Callers pass bytes whose hash they have checked. */
  put(hash: Uint8Array, fact: Uint8Array): Promise<void>;
}
