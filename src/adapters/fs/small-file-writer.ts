import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { TreeEntry } from '../../core/format/tree.ts';
import type { TargetProblem } from '../../ports/target.ts';
import {
  BatchWriter,
  type FileToWrite,
  type WriteAnswer,
  type WriteFailure,
  type WriteJob,
} from './write-job.ts';

export type SmallFile = Pick<FileToWrite, 'directory' | 'serial' | 'partialName'> & {
  readonly entry: TreeEntry;
};

type Settle = {
  readonly resolve: (problems: readonly TargetProblem[]) => void;
  readonly reject: (error: unknown) => void;
};

type Batch = WriteJob & { readonly settles: readonly Settle[] };

const slabSize = 512 * KiB;
const batchCountMax = 64;
/** Starting a thread takes as long as writing some hundred files. */
const filesWithoutThreads = 256;
const threadsMax = 4;
/** One being written, and the next. */
const jobsOfThreadMax = 2;

/**
 * Writes small files on threads of their own: creating, naming and describing a file takes the system ten times as
 * long as its bytes. Few files are written where they come from. Who calls bounds how many are under way.
 */
export class SmallFileWriter implements AsyncDisposable {
  readonly #writer = new BatchWriter();
  readonly #threads = new Map<Worker, Batch[]>();
  readonly #queue: Batch[] = [];
  readonly #slabs: Uint8Array<ArrayBuffer>[] = [];
  #slab: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #files: FileToWrite[] = [];
  #settles: Settle[] = [];
  #count = 0;
  #serial = 0;
  #isFlushDue = false;
  #onIdle: (() => void) | undefined;

  /** Of a directory, for `SmallFile.serial`. */
  newSerial(): number {
    return this.#serial++;
  }

  /** `content` is copied at once. Resolves when the file has its name. @throws HoldfastError */
  write({ entry, ...place }: SmallFile, content: Uint8Array): Promise<readonly TargetProblem[]> {
    if (this.#used + content.length > this.#room(content.length)) this.#flush();
    this.#slab ??= this.#newSlab(content.length);
    this.#slab.set(content, this.#used);
    this.#used += content.length;
    const { mode, uid, gid, mtimeNs, xattrs, size } = entry;
    const name = Buffer.from(entry.name).toString('latin1');
    const own = xattrs.map((xattr) => ({ name: xattr.name.slice(), value: xattr.value.slice() }));
    this.#files.push({ ...place, name, size, mode, uid, gid, mtimeNs, xattrs: own });
    const written = new Promise<readonly TargetProblem[]>((resolve, reject) => {
      this.#settles.push({ resolve, reject });
    });
    if (this.#files.length >= batchCountMax) this.#flush();
    else this.#flushSoon();
    return written;
  }

  /** Ends the threads when everything is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    const threads = [...this.#threads.keys()];
    this.#threads.clear();
    await Promise.all(threads.map((worker) => worker.terminate()));
  }

  get #isBusy(): boolean {
    return this.#queue.length > 0 || [...this.#threads.values()].some((jobs) => jobs.length > 0);
  }

  #room(size: number): number {
    return this.#slab?.length ?? Math.max(slabSize, size);
  }

  #newSlab(size: number): Uint8Array<ArrayBuffer> {
    const known = size <= slabSize ? this.#slabs.pop() : undefined;
    return known ?? new Uint8Array(Math.max(slabSize, size));
  }

  /** Nobody who waits for a file waits for others to come. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    const batch = { slab, files: this.#files, settles: this.#settles };
    this.#slab = undefined;
    this.#used = 0;
    this.#files = [];
    this.#settles = [];
    this.#count += batch.files.length;
    if (this.#count <= filesWithoutThreads) this.#here(batch);
    else {
      this.#queue.push(batch);
      this.#startNext();
    }
  }

  #startNext(): void {
    if (this.#onIdle !== undefined && !this.#isBusy) this.#onIdle();
    while (this.#queue.length > 0) {
      const worker = this.#freeThread();
      if (worker === undefined) return;
      const batch = this.#queue.shift() as Batch;
      this.#threads.get(worker)?.push(batch);
      const { slab, files } = batch;
      worker.postMessage({ slab, files } satisfies WriteJob, [slab.buffer]);
    }
  }

  #freeThread(): Worker | undefined {
    let least: Worker | undefined;
    let count = jobsOfThreadMax;
    for (const [worker, jobs] of this.#threads) {
      if (jobs.length < count) [least, count] = [worker, jobs.length];
    }
    if (count === 0 || this.#threads.size >= Math.min(threadsMax, availableParallelism())) {
      return least;
    }
    return this.#spawn();
  }

  #spawn(): Worker {
    // The parent's flags may name loaders that a plain worker does not need.
    const worker = new Worker(new URL('./write-worker.ts', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker.on('message', (answer: WriteAnswer) => {
      const batch = this.#threads.get(worker)?.shift();
      assert(batch !== undefined, 'an answer has its job');
      this.#finish(batch, answer);
      this.#startNext();
    });
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, undefined));
    this.#threads.set(worker, []);
    return worker;
  }

  #finish({ settles }: Batch, { slab, results }: WriteAnswer): void {
    if (slab.length === slabSize) this.#slabs.push(slab);
    for (const [i, { resolve, reject }] of settles.entries()) {
      const result = results[i];
      assert(result !== undefined, 'every file has its result');
      if ('problems' in result) resolve(result.problems);
      else reject(errorOf(result));
    }
  }

  #here(batch: Batch): void {
    try {
      this.#finish(batch, this.#writer.write(batch));
    } catch (error) {
      for (const { reject } of batch.settles) reject(error);
    }
  }

  #lose(worker: Worker, cause: unknown): void {
    const jobs = this.#threads.get(worker) ?? [];
    this.#threads.delete(worker);
    const reason = cause instanceof Error ? cause.message : 'it ended without a reason';
    const what = `a thread that writes files stopped: ${reason}`;
    const error = new HoldfastError('failed', what, { cause });
    for (const { settles } of jobs) for (const { reject } of settles) reject(error);
    this.#startNext();
  }
}

function errorOf({ code, message, next, details }: WriteFailure): HoldfastError {
  return new HoldfastError(code, message, { ...(next === undefined ? {} : { next }), details });
}
