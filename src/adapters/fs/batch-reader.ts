import { closeSync, readSync } from 'node:fs';
import { KiB, MiB } from '../../base/units.ts';
import { Chunker } from '../../core/coding/chunker.ts';
import { KeyedHasher } from '../../core/crypto/hash.ts';
import type { Chunking, FileFacts } from '../../ports/source.ts';
import { factsOf, statOfFd } from './file-facts.ts';
import { holeSizeMin, runAt } from './file-runs.ts';
import { GrowingSlab } from './growing-slab.ts';
import { fileFlags, openQuietly } from './quiet-open.ts';
import {
  type FileOutcome,
  type FileRequest,
  packOutcomes,
  type ReadAnswer,
  type ReadJob,
} from './read-job.ts';
import { errnoOf, reasonOf } from './system-error.ts';
import { readXattrsOf } from './xattrs.ts';

/** One pread: a read that fails or is cut short by truncation loses little. */
const readSizeMax = 8 * MiB;
/** Kept between jobs; a job of one huge part must not hold its memory for ever. */
const slabKeptMax = 64 * MiB;

/** Reads, cuts and names the files of one job after another. Synchronous: it has its thread to itself. */
export class BatchReader {
  #slab = new GrowingSlab(256 * KiB);
  #ids = new GrowingSlab(8 * KiB);

  read({ requests, chunking }: ReadJob): ReadAnswer {
    const chunker = new Chunker(chunking);
    const hasher = new KeyedHasher(chunking.idKey);
    const outcomes = requests.map((request) =>
      this.#readFile(request, new PartReader(chunking, chunker, hasher, this.#slab, this.#ids)),
    );
    const answer = { slab: this.#slab.take(), ids: this.#ids.take(), ...packOutcomes(outcomes) };
    if (this.#slab.capacity > slabKeptMax) this.#slab = new GrowingSlab(256 * KiB);
    return answer;
  }

  #readFile(request: FileRequest, part: PartReader): FileOutcome {
    const slabSize = this.#slab.size;
    const idsSize = this.#ids.size;
    let fd: number | undefined;
    try {
      fd = openQuietly(Buffer.from(request.path), fileFlags);
      const before = statOfFd(fd);
      const facts = factsOf(before);
      if (!before.isFile()) return { outcome: 'failed', reason: notRegular };
      // Fewer blocks than bytes: holes (or compression, where looking for holes finds none).
      const mayHaveHoles = before.blocks * 512n < before.size && facts.size >= holeSizeMin;
      const next = part.read(fd, { ...request, size: facts.size, mayHaveHoles });
      const xattrs = readXattrsOf(fd);
      const isStable = isSame(facts, factsOf(statOfFd(fd)));
      return { outcome: 'read', facts, xattrs, isStable, lengths: part.lengths, next };
    } catch (error) {
      this.#slab.size = slabSize;
      this.#ids.size = idsSize;
      return outcomeOf(error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

/** Cuts the data runs of one part of one file into the slab. */
class PartReader {
  readonly lengths: number[] = [];
  readonly #chunking: Chunking;
  readonly #chunker: Chunker;
  readonly #hasher: KeyedHasher;
  readonly #slab: GrowingSlab;
  readonly #ids: GrowingSlab;

  constructor(
    chunking: Chunking,
    chunker: Chunker,
    hasher: KeyedHasher,
    slab: GrowingSlab,
    ids: GrowingSlab,
  ) {
    this.#chunking = chunking;
    this.#chunker = chunker;
    this.#hasher = hasher;
    this.#slab = slab;
    this.#ids = ids;
  }

  /** @returns where the next part starts, or undefined at the end of the file. */
  read(
    fd: number,
    file: { offset: number; sizeMax: number; size: number; mayHaveHoles: boolean },
  ): number | undefined {
    const { size, mayHaveHoles } = file;
    // A whole chunk must fit, else no boundary might be found and no progress made.
    let budget = Math.max(file.sizeMax, this.#chunking.max);
    let position = file.offset;
    while (position < size) {
      const limit = position + budget;
      const run = mayHaveHoles
        ? runAt(fd, { offset: position, limit, size })
        : { kind: 'data' as const, end: size };
      if (run.kind === 'hole') {
        this.lengths.push(position - run.end);
        position = run.end;
        continue;
      }
      if (run.end > limit && budget < this.#chunking.max) return position;
      const wanted = Math.min(run.end, limit) - position;
      const got = this.#fill(fd, position, wanted);
      const isWhole = got < wanted || position + wanted === run.end;
      const used = this.#cut(got, isWhole);
      position += used;
      budget -= used;
      // Shorter than fstat said: truncated meanwhile, and fstat will say so too.
      if (got < wanted) return undefined;
      if (!isWhole) return position;
    }
    return undefined;
  }

  #fill(fd: number, position: number, wanted: number): number {
    const room = this.#slab.reserve(wanted);
    let got = 0;
    while (got < wanted) {
      const length = Math.min(wanted - got, readSizeMax);
      const count = readSync(fd, room, got, length, position + got);
      if (count === 0) break;
      got += count;
    }
    return got;
  }

  /** Takes the decided chunks of the bytes just read into the slab. @returns their size. */
  #cut(length: number, isWhole: boolean): number {
    const bytes = this.#slab.reserve(length);
    let start = 0;
    while (start < length) {
      const end = this.#chunker.next(bytes, start, length, isWhole);
      if (end === undefined) break;
      this.#ids.push(this.#hasher.hash(bytes.subarray(start, end)));
      this.lengths.push(end - start);
      start = end;
    }
    this.#slab.size += start;
    return start;
  }
}

function isSame(a: FileFacts, b: FileFacts): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

const notRegular = 'it is no longer a regular file';

function outcomeOf(error: unknown): FileOutcome {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ESTALE') return { outcome: 'vanished' };
  // A link, socket or directory stands there now.
  if (errno === 'ELOOP' || errno === 'ENXIO') return { outcome: 'failed', reason: notRegular };
  const reason = reasonOf(error);
  if (reason === undefined) throw error;
  return { outcome: 'failed', reason };
}
