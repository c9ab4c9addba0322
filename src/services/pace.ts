import type { Cancel, Clock } from '../ports/runtime.ts';

/** After a pause it makes up for so much at most. */
const burstMs = 1000;

/** Lets work through at so many bytes a second; who takes more than is there waits until it would be. */
export class Pace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: () => number;
  #freeAtMs = Number.NEGATIVE_INFINITY;

  /** `bytesPerSecond` is asked each time; 0: no limit. */
  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Waits for its turn. Rejects with the signal's reason. */
  async take(bytes: number, options: Cancel = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const rate = this.#bytesPerSecond();
    if (rate <= 0) return;
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(this.#freeAtMs, nowMs - burstMs);
    this.#freeAtMs = startMs + (bytes / rate) * 1000;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, options);
  }
}
