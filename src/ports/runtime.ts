import type { LogMessage } from '../core/log-messages/log-message.ts';

/** Options of every port method that may wait. */
export type Cancel = { readonly signal?: AbortSignal };

/** Time. Wall time is for people and records; nothing safe may rest on it. */
export interface Clock {
  /** Milliseconds since 1970 by this host's clock, which may jump. */
  nowMs(): number;
  /** Milliseconds since some start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, options?: Cancel): Promise<void>;
}

/** Unpredictable bytes. */
export interface Entropy {
  bytes(count: number): Uint8Array;
  /**
   * Bytes that can be erased for good: in memory of their own, which the engine never moves and threads share.
   * Absent where nothing is at stake.
   */
  secret?(count: number): Uint8Array;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured log: a message of `core/log-messages`, flat context. Never a secret, never plaintext file content. */
export interface Log {
  log(level: LogLevel, message: LogMessage, context?: Readonly<Record<string, unknown>>): void;
}
