import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { ListAnswer, ListJob } from './list-job.ts';
import type { ReadAnswer, ReadJob } from './read-job.ts';

type Job = ReadJob | ListJob;
type Answer = ReadAnswer | ListAnswer;
/** `onDone` is called when no worker uses the job's directories any more. */
type RunOptions = Cancel & { readonly onDone: () => void };

type Waiting = {
  readonly job: Job;
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
};

/**
 * Worker threads that list directories and read files: synchronous calls there are three to five times as fast as promises here.
 * A worker has one job at a time; further jobs wait in order, as many as callers await. A worker that dies
 * fails its job and is replaced with the next one.
 */
export class ReadPool implements AsyncDisposable {
  readonly #threads: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #queue: Waiting[] = [];
  #isClosed = false;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** The answer of one job; a cancelled wait leaves a started job to run out. */
  read(job: ReadJob, options: RunOptions): Promise<ReadAnswer> {
    return this.#run<ReadAnswer>(job, options);
  }

  list(job: ListJob, options: RunOptions): Promise<ListAnswer> {
    return this.#run<ListAnswer>(job, options);
  }

  #run<A extends Answer>(job: Job, { signal, onDone }: RunOptions): Promise<A> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed || signal?.aborted) {
        onDone();
        reject(this.#isClosed ? closed() : signal?.reason);
        return;
      }
      const finish = (): void => {
        signal?.removeEventListener('abort', abort);
        onDone();
      };
      const waiting: Waiting = {
        job,
        settle: (answer) => {
          finish();
          resolve(answer as A);
        },
        fail: (error) => {
          finish();
          reject(error);
        },
      };
      const abort = (): void => {
        const place = this.#queue.indexOf(waiting);
        if (place >= 0) this.#queue.splice(place, 1)[0]?.fail(signal?.reason);
        else reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#startNext();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#queue.splice(0)) waiting.fail(closed());
    const workers = [...this.#idle.splice(0), ...this.#busy.keys()];
    // Ends between two system calls; 'exit' then fails the job under way.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #startNext(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#spawn();
      if (worker === undefined) return;
      const waiting = this.#queue.shift() as Waiting;
      this.#busy.set(worker, waiting);
      worker.ref();
      worker.postMessage(waiting.job);
    }
  }

  #spawn(): Worker | undefined {
    if (this.#busy.size + this.#idle.length >= this.#threads) return undefined;
    // The parent's flags may name loaders that a plain worker does not need.
    const worker = new Worker(new URL('./read-worker.ts', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker.on('message', (answer: Answer) => this.#finish(worker, answer));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, undefined));
    return worker;
  }

  #finish(worker: Worker, answer: Answer): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    this.#idle.push(worker);
    // An idle pool must not keep the process alive.
    worker.unref();
    waiting?.settle(answer);
    this.#startNext();
  }

  #lose(worker: Worker, cause: unknown): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    const place = this.#idle.indexOf(worker);
    if (place >= 0) this.#idle.splice(place, 1);
    waiting?.fail(this.#isClosed ? closed() : lost(cause));
    if (!this.#isClosed) this.#startNext();
  }
}

function closed(): HoldfastError {
  return new HoldfastError('interrupted', 'reading stopped: the source was closed');
}

function lost(cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : 'it ended without a reason';
  return new HoldfastError('failed', `a thread that reads files stopped: ${reason}`, { cause });
}
