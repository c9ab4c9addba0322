import { assert } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Compute } from '../../ports/compute.ts';
import {
  type JobInput,
  type JobKind,
  type JobOutput,
  type JobRequest,
  type JobResult,
  runJob,
} from './job.ts';
import { ComputeThread, type Outcome } from './thread.ts';

/**
 * Jobs that wait, each with up to a pack of memory. Callers bound the bytes they have in flight, far below
 * this; beyond it a job is refused, so that a caller without a bound is noticed.
 */
const queueLengthMax = 1024;

export type ComputePoolOptions = {
  /** At most this many jobs at once. */
  readonly threads: number;
  /** So many short jobs are done by the caller before threads are started, which takes as long as some fifty. */
  readonly firstHere?: number;
  /** Called before each thread starts: there is much to do. */
  readonly beforeThreads?: () => void;
  /** Entry of a thread; tests pass one that fails. */
  readonly entry?: URL;
};

/** Of short jobs, in one message: what a thread has in hand, others cannot do, and its answer waits for the last. */
const togetherMax = 8;

/** Of at most a mebibyte. */
const shortKinds: ReadonlySet<JobKind> = new Set(['openFrame', 'checkLeaves']);

/** Compute on worker threads, which start when first needed; a thread that ends is replaced by the next job. */
export function openComputePool(options: ComputePoolOptions): Compute {
  const pool = new ComputePool(options);
  return {
    sealFrame: (input) => pool.run('sealFrame', input),
    openFrame: (input) => pool.run('openFrame', input),
    checkLeaves: (input) => pool.run('checkLeaves', input),
    encode: (input) => pool.run('encode', input),
    reconstruct: (input) => pool.run('reconstruct', input),
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

type QueuedJob = {
  readonly request: JobRequest;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
};

class ComputePool {
  readonly #threadCount: number;
  readonly #entry: URL;
  readonly #beforeThreads: () => void;
  /** All live threads; those in `#idle` have no job. */
  readonly #threads = new Set<ComputeThread>();
  readonly #idle: ComputeThread[] = [];
  readonly #queue: QueuedJob[] = [];
  #isClosed = false;
  #isDispatchDue = false;
  #leftHere: number;

  constructor({ threads, entry, firstHere = 0, beforeThreads }: ComputePoolOptions) {
    this.#leftHere = firstHere;
    this.#beforeThreads = beforeThreads ?? (() => {});
    assert(Number.isInteger(threads) && threads >= 1, 'a pool has a thread');
    this.#threadCount = threads;
    this.#entry = entry ?? new URL('./worker.ts', import.meta.url);
  }

  async run<Kind extends JobKind>(kind: Kind, input: JobInput<Kind>): Promise<JobOutput<Kind>> {
    if (this.#isClosed) throw closedError();
    if (this.#queue.length >= queueLengthMax) {
      throw new HoldfastError('limit-exceeded', 'too many jobs wait for a compute thread', {
        details: { queueLengthMax },
      });
    }
    // The compiler does not connect a kind with its own input and output across the union.
    const request = { kind, input } as unknown as JobRequest;
    const result = await this.#result(request);
    assert(result.kind === kind, 'a result is of the kind that was asked for');
    return result.output as JobOutput<Kind>;
  }

  async #result(request: JobRequest): Promise<JobResult> {
    if (this.#leftHere > 0 && shortKinds.has(request.kind)) {
      this.#leftHere--;
      return runJob(request);
    }
    return new Promise<JobResult>((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      if (shortKinds.has(request.kind)) this.#dispatchSoon();
      else this.#dispatch();
    });
  }

  /**
   * Short jobs that come in one turn of the event loop go out together: sending one, and being woken for what it
   * gave, costs this thread as much as all else that it does for a leaf.
   */
  #dispatchSoon(): void {
    if (this.#isDispatchDue) return;
    this.#isDispatchDue = true;
    setImmediate(() => {
      this.#isDispatchDue = false;
      this.#dispatch();
    });
  }

  /** Ends the threads; jobs under way and waiting reject. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#queue.splice(0)) job.reject(closedError());
    await Promise.all([...this.#threads].map((thread) => thread[Symbol.asyncDispose]()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && !this.#isClosed) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      void this.#serve(thread, this.#queue.splice(0, this.#countTogether()));
    }
  }

  /** How many of those that wait go to one thread: its share, so that the last of them are spread over all. */
  #countTogether(): number {
    const share = Math.ceil(this.#queue.length / this.#threadCount);
    const short = this.#queue.findIndex(({ request }) => !shortKinds.has(request.kind));
    const together = short < 0 ? this.#queue.length : short;
    return Math.max(1, Math.min(share, together, togetherMax));
  }

  #freeThread(): ComputeThread | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isAlive) return idle;
      this.#threads.delete(idle);
    }
    if (this.#threads.size >= this.#threadCount) return undefined;
    this.#beforeThreads();
    const thread = new ComputeThread(this.#entry);
    this.#threads.add(thread);
    return thread;
  }

  /** Never rejects: the outcomes are the jobs'. */
  async #serve(thread: ComputeThread, jobs: readonly QueuedJob[]): Promise<void> {
    try {
      const outcomes = await thread.run(jobs.map(({ request }) => request));
      for (const [i, { resolve, reject }] of jobs.entries()) {
        const outcome = outcomes[i] as Outcome;
        if ('result' in outcome) resolve(outcome.result);
        else reject(outcome.error);
      }
    } catch (error) {
      for (const { reject } of jobs) reject(this.#isClosed ? closedError(error) : error);
    }
    if (thread.isAlive) this.#idle.push(thread);
    else this.#threads.delete(thread);
    this.#dispatch();
  }
}

function closedError(cause?: unknown): HoldfastError {
  return new HoldfastError('interrupted', 'the compute threads were stopped', { cause });
}
