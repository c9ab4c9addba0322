import { Worker } from 'node:worker_threads';

/** A turn of the event loop takes milliseconds; a loop that waits for nothing never ends one. */
const silenceMsMax = 120_000;
/** All hosts of a run together, and what the program itself needs. */
const memoryMax = 1.5 * 1024 ** 3;

/**
 * Ends the program, with a message, when it runs without ever waiting or takes too much memory: nothing in its
 * own thread could. `beat` says that it still moves.
 */
export class Watchdog implements Disposable {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  constructor() {
    const workerData = { state: this.#state, silenceMsMax, memoryMax };
    this.#worker = new Worker(watch, { eval: true, workerData });
    this.#worker.unref();
  }

  /** `seed`: what is being run, for the message. */
  beat(seed: number): void {
    Atomics.store(this.#state, 1, seed);
    Atomics.add(this.#state, 0, 1);
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate();
  }
}

/** In a thread of its own, as text: it must run while the program's thread cannot. */
const watch = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { state, silenceMsMax, memoryMax } = workerData;
let beats = -1;
let quietMs = 0;
const end = (why) => {
  writeSync(2, 'seed ' + (Atomics.load(state, 1) >>> 0) + ': VIOLATION of watchdog: ' + why + '\\n');
  process.kill(process.pid, 'SIGKILL');
};
setInterval(() => {
  const now = Atomics.load(state, 0);
  quietMs = now === beats ? quietMs + 1000 : 0;
  beats = now;
  if (quietMs >= silenceMsMax) end('a loop waits for nothing (no step for ' + quietMs + ' ms)');
  const { rss } = process.memoryUsage();
  if (rss > memoryMax) end('it takes ' + Math.round(rss / 1048576) + ' MiB of memory');
}, 1000);
`;
