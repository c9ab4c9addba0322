import { release } from '../base/bytes.ts';
import type { Extent, Xattr } from '../core/format/tree.ts';
import type {
  Chunking,
  FileFacts,
  ReadBatch,
  ReadResult,
  Source,
  SourceDirectory,
} from '../ports/source.ts';
import type { ContentSink } from './content-sink.ts';

export type FileContent =
  | {
      readonly outcome: 'stored';
      /** As the file was when it was read. */
      readonly facts: FileFacts;
      readonly xattrs: readonly Xattr[];
      readonly extents: readonly Extent[];
      /** Ordinals, with the bytes that lie in each. */
      readonly packs: ReadonlyMap<number, number>;
      /** False when it changed each time it was read. */
      readonly isStable: boolean;
      readonly bytesRead: number;
    }
  | { readonly outcome: 'vanished' }
  | { readonly outcome: 'failed'; readonly reason: string };

type FileVersion = Pick<FileContent & { outcome: 'stored' }, 'facts' | 'xattrs'>;

type Job = {
  directory: SourceDirectory;
  name: Uint8Array;
  size: number;
  attempts: number;
  resolve: (content: FileContent) => void;
  reject: (error: unknown) => void;
};

export type FileReaderOptions = {
  readonly source: Source;
  readonly chunking: Chunking;
  readonly sink: ContentSink;
  readonly lanes: number;
  readonly signal: AbortSignal;
  readonly onProgress: (name: Uint8Array, bytes: number) => void;
};

/** Small files share a slab of about this size; larger ones are read in parts of it. */
const slabSize = 4 * 1024 * 1024;
/** What is done with them holds everybody else up. */
const filesPerBatch = 64;
/** A file that changes while it is read is read again this often before it is marked. */
const attemptsMax = 3;

/**
 * Reads files in the order in which they were asked for, many small ones at a time, and stores their chunks.
 * Jobs queue without bound here: whoever asks bounds them.
 */
export class FileReader {
  readonly #options: FileReaderOptions;
  readonly #queue: Job[] = [];
  #lanesBusy = 0;

  constructor(options: FileReaderOptions) {
    this.#options = options;
  }

  read(directory: SourceDirectory, name: Uint8Array, size: number): Promise<FileContent> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ directory, name, size, attempts: 1, resolve, reject });
      if (this.#lanesBusy < this.#options.lanes) void this.#lane();
    });
  }

  async #lane(): Promise<void> {
    this.#lanesBusy++;
    // Let the caller queue the rest of its directory first: batches of one file are slow.
    await Promise.resolve();
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        this.#options.signal.throwIfAborted();
        await this.#options.sink.ready();
        if (batch.length === 1 && (batch[0] as Job).size > slabSize)
          await this.#large(batch[0] as Job);
        else await this.#small(batch);
      } catch (error) {
        for (const job of batch) job.reject(error);
      }
    }
    this.#lanesBusy--;
  }

  #take(): Job[] {
    const batch: Job[] = [];
    let size = 0;
    for (const next of this.#queue) {
      if (batch.length > 0 && (size + next.size > slabSize || batch.length >= filesPerBatch)) break;
      batch.push(next);
      size += next.size;
    }
    this.#queue.splice(0, batch.length);
    return batch;
  }

  #readSlab(requests: readonly { job: Job; offset: number }[]): Promise<ReadBatch> {
    return this.#options.source.read(
      requests.map(({ job, offset }) => ({
        directory: job.directory,
        name: job.name,
        offset,
        sizeMax: slabSize,
      })),
      this.#options.chunking,
      { signal: this.#options.signal },
    );
  }

  async #small(batch: readonly Job[]): Promise<void> {
    const { slab, results } = await this.#readSlab(batch.map((job) => ({ job, offset: 0 })));
    for (const [i, job] of batch.entries()) {
      const result = results[i] as ReadResult;
      if (result.outcome !== 'read') job.resolve(result);
      else if (result.next !== undefined) await this.#large(job);
      else if (!result.isStable && job.attempts < attemptsMax) this.#again(job);
      else job.resolve(this.#store(job, slab, result));
    }
    release(slab);
  }

  #again(job: Job): void {
    job.attempts++;
    this.#queue.unshift(job);
  }

  #store(
    job: Job,
    slab: Uint8Array,
    result: ReadResult & { outcome: 'read' },
  ): FileContent & { outcome: 'stored' } {
    const extents: Extent[] = [];
    const packs = new Map<number, number>();
    let bytesRead = 0;
    for (const extent of result.extents) {
      if (extent.kind === 'hole') {
        extents.push({ id: undefined, length: extent.length });
        continue;
      }
      const bytes = slab.subarray(extent.offset, extent.offset + extent.length);
      addTo(packs, this.#options.sink.store('data', extent.id, bytes).ordinal, extent.length);
      extents.push({ id: extent.id.slice(), length: extent.length });
      bytesRead += extent.length;
    }
    this.#options.onProgress(job.name, bytesRead);
    const { facts, xattrs, isStable } = result;
    return { outcome: 'stored', facts, xattrs, extents, packs, isStable, bytesRead };
  }

  /** One file in parts. What was stored of a failed attempt is found again by its chunk ids. */
  async #large(job: Job): Promise<void> {
    for (; ; job.attempts++) {
      const content = await this.#readParts(job);
      if (content.outcome !== 'stored' || content.isStable || job.attempts >= attemptsMax) {
        job.resolve(content);
        return;
      }
    }
  }

  async #readParts(job: Job): Promise<FileContent> {
    const extents: Extent[] = [];
    const packs = new Map<number, number>();
    let bytesRead = 0;
    let first: FileVersion | undefined;
    let isStable = true;
    let part: Promise<ReadBatch> | undefined = this.#readSlab([{ job, offset: 0 }]);
    while (part !== undefined) {
      const { slab, results }: ReadBatch = await part;
      const result = results[0] as ReadResult;
      if (result.outcome !== 'read') return result;
      first ??= { facts: result.facts, xattrs: result.xattrs };
      isStable &&= result.isStable && isSameVersion(first.facts, result.facts);
      // The next part is read while this one is stored.
      part = result.next === undefined ? undefined : this.#readSlab([{ job, offset: result.next }]);
      part?.catch(() => {});
      await this.#options.sink.ready();
      const stored = this.#store(job, slab, result);
      release(slab);
      extents.push(...stored.extents);
      for (const [pack, bytesIn] of stored.packs) addTo(packs, pack, bytesIn);
      bytesRead += stored.bytesRead;
    }
    return { outcome: 'stored', ...(first as FileVersion), extents, packs, isStable, bytesRead };
  }
}

function addTo(sums: Map<number, number>, key: number, bytes: number): void {
  sums.set(key, (sums.get(key) ?? 0) + bytes);
}

function isSameVersion(a: FileFacts, b: FileFacts): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
