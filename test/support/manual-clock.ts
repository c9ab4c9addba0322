import { setImmediate } from 'node:timers/promises';
import type { Cancel, Clock } from '../../src/ports/runtime.ts';

type Sleeper = { readonly untilMs: number; readonly wake: () => void };

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, { signal }: Cancel = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', cancel);
      };
      const cancel = (): void => {
        end();
        reject(signal?.reason);
      };
      const wake = (): void => {
        end();
        resolve();
      };
      const sleeper = { untilMs: this.#elapsedMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', cancel);
    });
  }

  /** Lets everything that can run now run, then wakes sleepers in their order, letting each run before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.untilMs);
      next.wake();
      await settled();
    }
    this.#elapsedMs = endMs;
  }

  #next(endMs: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs <= endMs && (first === undefined || sleeper.untilMs < first.untilMs)) {
        first = sleeper;
      }
    }
    return first;
  }
}

/** Nothing in memory takes more turns of the event loop than this. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await setImmediate();
}
