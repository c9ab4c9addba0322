import { HoldfastError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../ports/runtime.ts';

/** Made once: nobody looks at it, and an error with its stack costs more than the wait. */
const noLongerWaited = new HoldfastError('interrupted', 'no longer waited for');

/** Wakes whoever waits for something to have changed. A ring that nobody hears is kept for the next who waits. */
export class Bell {
  #hasRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** The clock of somebody whose sleep ends early when it rings, or when the signal is aborted. One sleeps at a time. */
  over(clock: Clock): Clock {
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, options) => this.wait(clock, ms, options),
    };
  }

  /** Resolves at the next ring, after `ms` at the latest, or when the signal is aborted. One waits at a time. */
  async wait(clock: Clock, ms: number, { signal }: Cancel = {}): Promise<void> {
    const over = new AbortController();
    const both = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    const rung = new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#hasRung) resolve();
    });
    const late = clock.sleep(ms, { signal: both }).catch(() => {});
    await Promise.race([rung, late]);
    this.#hasRung = false;
    this.#wake = undefined;
    over.abort(noLongerWaited);
  }
}
