import { abortable } from '../base/abortable.ts';
import { AssertionError } from '../base/assert.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/runtime.ts';

/** One way to get a value; stops when the signal says so. */
export type Attempt<T> = (signal: AbortSignal) => Promise<T>;

export type HedgeOptions = {
  /** How many values are needed. */
  readonly wanted: number;
  /** Without an answer for this long, one more attempt starts beside the others; then after twice as long. */
  readonly hedgeMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onHedge: () => void;
};

/** Not enough attempts succeeded: what did, and why the others did not. */
export class AttemptsFailed<T> extends Error {
  override readonly name = 'AttemptsFailed';
  readonly values: readonly T[];
  readonly failures: readonly unknown[];

  constructor(values: readonly T[], failures: readonly unknown[]) {
    super(`${failures.length} attempts failed`);
    this.values = values;
    this.failures = failures;
  }
}

/** Made once: an error that is made for each attempt given up costs more than the rest of it. */
const over = new HoldfastError('interrupted', 'another attempt has been faster');

type Outcome<T> = { at: number; value: T } | { at: number; error: unknown };

/**
 * Starts attempts in their order, as many as are needed; one more for each that fails or is slow. The first
 * successes win and the rest is cancelled.
 * @returns the values in order of arrival. @throws AttemptsFailed when too few can succeed
 */
export async function firstSuccesses<T>(
  attempts: readonly Attempt<T>[],
  options: HedgeOptions,
): Promise<T[]> {
  const { wanted, signal } = options;
  const race = new Race(attempts, options.clock);
  const values: T[] = [];
  const failures: unknown[] = [];
  let hedges = 0;
  let patienceMs = options.hedgeMs;
  try {
    while (values.length < wanted) {
      signal.throwIfAborted();
      race.fill(wanted - values.length + hedges);
      if (values.length + race.running < wanted) throw new AttemptsFailed(values, failures);
      const outcome = await abortable(race.next(patienceMs), signal);
      if (outcome === 'slow') {
        hedges++;
        patienceMs *= 2;
        options.onHedge();
      } else if ('value' in outcome) values.push(outcome.value);
      else if (outcome.error instanceof AssertionError) throw outcome.error;
      else failures.push(outcome.error);
    }
    return values;
  } finally {
    race.stop();
  }
}

/** Attempts under way. Each has a signal of its own, since many listeners on one would be taken for a leak. */
class Race<T> {
  readonly #attempts: readonly Attempt<T>[];
  readonly #clock: Clock;
  readonly #running = new Map<number, Promise<Outcome<T>>>();
  readonly #controllers: AbortController[] = [];
  #timer: AbortController | undefined;

  constructor(attempts: readonly Attempt<T>[], clock: Clock) {
    this.#attempts = attempts;
    this.#clock = clock;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Starts attempts until `count` run or none is left. */
  fill(count: number): void {
    while (this.#running.size < count) {
      const at = this.#controllers.length;
      const attempt = this.#attempts[at];
      if (attempt === undefined) return;
      const controller = new AbortController();
      this.#controllers.push(controller);
      this.#running.set(at, outcomeOf(at, attempt, controller.signal));
    }
  }

  /** The next outcome; 'slow' when there is none in time and another attempt could start. */
  async next(patienceMs: number): Promise<Outcome<T> | 'slow'> {
    const waits: Promise<Outcome<T> | 'slow'>[] = [...this.#running.values()];
    if (this.#controllers.length < this.#attempts.length) waits.push(this.#patience(patienceMs));
    try {
      const first = await Promise.race(waits);
      if (first !== 'slow') this.#running.delete(first.at);
      return first;
    } finally {
      this.#timer?.abort(over);
    }
  }

  #patience(ms: number): Promise<'slow'> {
    this.#timer = new AbortController();
    const passed = this.#clock
      .sleep(ms, { signal: this.#timer.signal })
      .then(() => 'slow' as const);
    passed.catch(() => {});
    return passed;
  }

  stop(): void {
    this.#timer?.abort(over);
    for (const at of this.#running.keys()) this.#controllers[at]?.abort(over);
  }
}

async function outcomeOf<T>(
  at: number,
  attempt: Attempt<T>,
  signal: AbortSignal,
): Promise<Outcome<T>> {
  try {
    return { at, value: await attempt(signal) };
  } catch (error) {
    return { at, error };
  }
}
