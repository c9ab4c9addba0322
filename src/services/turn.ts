import type { Clock } from '../ports/runtime.ts';

/** Work without a wait in it takes its time from the network: peers, heartbeats, whoever asks for the status. */
const turnMs = 10;

/** Lets everybody else have a turn now and then in the middle of long work. Made where that work begins. */
export class Turn {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  #startMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#startMs > turnMs;
  }

  /** Resolves after everybody who was ready. */
  async end(): Promise<void> {
    await this.#clock.sleep(0);
    this.#startMs = this.#clock.monotonicMs();
  }
}
