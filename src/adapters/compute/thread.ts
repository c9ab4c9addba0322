import { Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { errorOf } from './failure.ts';
import type { JobRequest, JobResult } from './job.ts';
import { wrapRequest } from './parcel.ts';
import type { JobAnswer } from './worker.ts';

type Waiting = {
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
};

/** Ending takes milliseconds; see cli/end-process.ts for what can stand in its way. */
const endTimeoutMs = 5 * secondMs;

/** One worker thread, which does one job at a time. */
export class ComputeThread implements AsyncDisposable {
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  #isAlive = true;

  constructor(entry: URL) {
    this.#worker = new Worker(entry, { resourceLimits: { maxYoungGenerationSizeMb: 8 } });
    this.#worker.on('message', (answer: JobAnswer) => this.#receive(answer));
    this.#worker.on('messageerror', (error) => this.#die(error));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`exit code ${code}`)));
  }

  /** False once the thread has ended, for whatever reason. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @throws HoldfastError of the job itself, or failed when the thread ends first. */
  run(request: JobRequest): Promise<JobResult> {
    assert(this.#isAlive && this.#waiting === undefined, 'a thread does one job at a time');
    return new Promise((resolve, reject) => {
      // Throws, and so rejects, when memory of the request was given away before.
      const { content, transfer } = wrapRequest(request);
      this.#worker.postMessage(content, transfer);
      this.#waiting = { resolve, reject };
    });
  }

  /** A thread whose engine does not let go is left to the end of the process, which waits for none. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, endTimeoutMs);
    await Promise.race([this.#worker.terminate(), late.promise]);
    clearTimeout(timer);
  }

  #receive(answer: JobAnswer): void {
    const waiting = this.#takeWaiting();
    assert(waiting !== undefined, 'a thread answers what it was asked');
    if (answer.isDone) waiting.resolve(answer.result);
    else waiting.reject(errorOf(answer.failure));
  }

  #die(cause: unknown): void {
    this.#isAlive = false;
    const message = 'a compute thread ended in the middle of a job';
    this.#takeWaiting()?.reject(new HoldfastError('failed', message, { cause }));
  }

  #takeWaiting(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}
