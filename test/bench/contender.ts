import type { Measured } from './measure.ts';

/** What a tool did, and what it took. */
export type Result = Measured & {
  /** Bytes that it stored for this, before coding for loss. */
  readonly bytesAdded?: number;
  /** 99th percentile of how late the agent's event loop was, in milliseconds. */
  readonly loopDelayMs?: number;
};

/** A tool with a repository (or cluster) of its own. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  /** Makes the repository; not measured. */
  init(): Promise<void>;
  backup(paths: readonly string[]): Promise<Result>;
  /** The newest snapshot below a new directory, or one file of it. @returns where a path of the source has come to */
  restore(target: string, onlyFile?: string): Promise<Restored>;
  /** Reads all data back. */
  check(): Promise<Result>;
}

export type Restored = Result & { readonly placeOf: (path: string) => string };
