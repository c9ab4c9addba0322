import type { Cancel } from './runtime.ts';

/** What the programs of a dataset are doing, as far as its guard knows. */
export type GuardState =
  /** Nothing has been started by this guard, or it has stopped what it had started. */
  | 'stopped'
  /** The programs run, or are being started. */
  | 'running'
  /** Time is up, and the stop program has not succeeded yet. */
  | 'stopping';

/**
 * Keeps the programs that use a dataset within its lease: they run until a moment, and are stopped then, whatever
 * has become of the agent meanwhile. Datasets are named as in the configuration.
 */
export interface LeaseGuard {
  /** Datasets that have programs to guard. */
  readonly datasets: readonly string[];
  /** Milliseconds of this host's time, passing also while it sleeps. Comparable over restarts of the agent alone. */
  nowMs(): number;
  /** Starts the programs unless they run, and lets them run until `untilMs`. Durable when resolved. */
  extend(dataset: string, untilMs: number, options?: Cancel): Promise<void>;
  /** Where they may run longer than `untilMs`: not any more. Durable when resolved. */
  shorten(dataset: string, untilMs: number, options?: Cancel): Promise<void>;
  /** Lets them run on without a limit, and guards them no more. */
  release(dataset: string, options?: Cancel): Promise<void>;
  /** Stops the programs now. Resolves when they are stopped. @throws HoldfastError failed */
  stop(dataset: string, options?: Cancel): Promise<void>;
  state(dataset: string): GuardState;
  /** What went wrong with a program, for people. */
  problem(dataset: string): string | undefined;
}
