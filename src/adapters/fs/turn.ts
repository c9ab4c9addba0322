import { setImmediate } from 'node:timers/promises';

/** Synchronous calls take their time from the network: peers, heartbeats, whoever asks for the status. */
const turnMs = 10;

/** Ends long work now and then, so that others on this thread get a turn. */
export class Turn {
  #startMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#startMs > turnMs;
  }

  /** Resolves after everybody else who was ready. */
  async end(): Promise<void> {
    await setImmediate();
    this.#startMs = performance.now();
  }
}
