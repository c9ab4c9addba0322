import type { Cancel, Clock } from '../../src/ports/runtime.ts';
import { epochMs, type Life, type World } from '../world.ts';

/** How time passes at a host; changes while the program runs. */
export type HostTime = {
  /** Of its clock, against true time: 1000 is right. */
  readonly ratePerMille: number;
  readonly skewMs: number;
  /** Set while the process is stopped. */
  readonly isPaused: boolean;
  /** Called once it goes on. */
  onResume(run: () => void): void;
};

/** The clock of one run of one host, which may be wrong, and stands while the process does. */
export class HostClock implements Clock {
  readonly #world: World;
  readonly #life: Life;
  readonly #host: HostTime;
  readonly #listening = new Set<() => void>();
  #readMs: number;
  #ownMs = 0;

  constructor(world: World, life: Life, host: HostTime) {
    this.#world = world;
    this.#life = life;
    this.#host = host;
    this.#readMs = world.nowMs;
  }

  nowMs(): number {
    return epochMs + this.#world.nowMs + this.#host.skewMs;
  }

  monotonicMs(): number {
    const passedMs = this.#world.nowMs - this.#readMs;
    this.#readMs = this.#world.nowMs;
    this.#ownMs += (passedMs * this.#host.ratePerMille) / 1000;
    return this.#ownMs;
  }

  /**
   * The process has died: nobody wakes. The runtime holds on to a signal that somebody listens to, and so to
   * all that the run has left.
   */
  abandon(): void {
    for (const stop of this.#listening) stop();
    this.#listening.clear();
  }

  sleep(ms: number, { signal }: Cancel = {}): Promise<void> {
    this.#world.requireMoving('slept');
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        callOff();
        stop();
        reject(signal?.reason);
      };
      const wake = (): void => {
        if (!this.#life.isAlive) return;
        if (this.#host.isPaused) {
          this.#host.onResume(wake);
          return;
        }
        stop();
        resolve();
      };
      const stop = (): void => {
        signal?.removeEventListener('abort', onAbort);
        this.#listening.delete(stop);
      };
      // As a timer of Node does: never at once, and never early.
      const trueMs = Math.max(1, Math.ceil((ms * 1000) / this.#host.ratePerMille));
      const callOff = this.#world.after(trueMs, wake);
      if (signal === undefined) return;
      signal.addEventListener('abort', onAbort, { once: true });
      this.#listening.add(stop);
    });
  }
}
