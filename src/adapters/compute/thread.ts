import { Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { errorOf } from './failure.ts';
import type { JobRequest, JobResult } from './job.ts';
import { wrapRequests } from './parcel.ts';
import type { JobAnswer } from './worker.ts';

/** What became of a job. */
export type Outcome = { readonly result: JobResult } | { readonly error: unknown };

type Waiting = {
  readonly resolve: (answers: readonly JobAnswer[]) => void;
  readonly reject: (error: unknown) => void;
};

/** Ending takes milliseconds; see cli/end-process.ts for what can stand in its way. */
const endTimeoutMs = 5 * secondMs;

/** One worker thread, which does what it was given, and then is given more. */
export class ComputeThread implements AsyncDisposable {
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  #isAlive = true;

  constructor(entry: URL) {
    this.#worker = new Worker(entry, { resourceLimits: { maxYoungGenerationSizeMb: 8 } });
    this.#worker.on('message', (answers: readonly JobAnswer[]) => this.#receive(answers));
    this.#worker.on('messageerror', (error) => this.#die(error));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`exit code ${code}`)));
  }

  /** False once the thread has ended, for whatever reason. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Does jobs one after another. @returns what became of each. @throws HoldfastError failed when the thread ends first */
  async run(requests: readonly JobRequest[]): Promise<Outcome[]> {
    assert(this.#isAlive && this.#waiting === undefined, 'a thread is given more when it is done');
    const { content, transfer, refused } = wrapRequests(requests);
    const answers = content.length === 0 ? [] : await this.#ask(content, transfer);
    let next = 0;
    return requests.map((_, i) => {
      if (refused.has(i)) return { error: refused.get(i) };
      const answer = answers[next++];
      assert(answer !== undefined, 'a thread answers each job that it was given');
      return answer.isDone ? { result: answer.result } : { error: errorOf(answer.failure) };
    });
  }

  #ask(
    content: readonly JobRequest[],
    transfer: readonly ArrayBuffer[],
  ): Promise<readonly JobAnswer[]> {
    return new Promise((resolve, reject) => {
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

  #receive(answers: readonly JobAnswer[]): void {
    const waiting = this.#takeWaiting();
    assert(waiting !== undefined, 'a thread answers what it was asked');
    waiting.resolve(answers);
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
