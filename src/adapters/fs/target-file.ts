import { ftruncateSync, writev } from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../../base/assert.ts';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { TreeEntry } from '../../core/format/tree.ts';
import type { TargetFile, TargetProblem } from '../../ports/target.ts';
import type { Inherited } from './metadata.ts';
import type { PartialFile } from './partial-file.ts';
import { systemError } from './system-error.ts';

const writeAt = promisify(writev);

type Piece = { readonly offset: number; readonly bytes: Uint8Array };

/** A file written in pieces, which may be under way at the same time; those that come at once go out together. */
export class FsTargetFile implements TargetFile {
  readonly #partial: PartialFile;
  readonly #entry: TreeEntry;
  readonly #inherited: Inherited;
  readonly #writing = new Set<Promise<void>>();
  #pieces: Piece[] = [];
  /** Of `#pieces`. */
  #next: Promise<void> | undefined;

  constructor(partial: PartialFile, entry: TreeEntry, inherited: Inherited) {
    this.#partial = partial;
    this.#entry = entry;
    this.#inherited = inherited;
    // From the start: what is not written is a hole, and a file too large for the disk's limits fails early.
    ftruncateSync(partial.fd, entry.size);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    assert(this.#partial.isOpen, 'no write after the end of the file');
    const name = printable(this.#entry.name);
    if (offset < 0 || offset + bytes.length > this.#entry.size) {
      throw new HoldfastError('corrupt', `the content of ${name} is longer than its size`);
    }
    this.#pieces.push({ offset, bytes });
    this.#next ??= this.#flushSoon();
    const writing = this.#next;
    try {
      await writing;
    } catch (error) {
      throw systemError(error, `write ${name}`);
    }
  }

  #flushSoon(): Promise<void> {
    // After whoever gives several has given them all.
    const writing = Promise.resolve().then(() => {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#next = undefined;
      return writeAll(this.#partial.fd, pieces);
    });
    this.#writing.add(writing);
    return writing.finally(() => this.#writing.delete(writing));
  }

  async finish(): Promise<readonly TargetProblem[]> {
    assert(this.#partial.isOpen, 'a file ends once');
    assert(this.#writing.size === 0, 'all pieces are written before the end');
    try {
      return this.#partial.complete(this.#inherited);
    } catch (error) {
      throw systemError(error, `finish ${printable(this.#entry.name)}`);
    }
  }

  async abandon(): Promise<void> {
    // The descriptor's number must not be given away while a thread still writes to it.
    await Promise.allSettled(this.#writing);
    try {
      this.#partial.discard();
    } catch (error) {
      throw systemError(error, `remove the partial file of ${printable(this.#entry.name)}`);
    }
  }
}

async function writeAll(fd: number, pieces: readonly Piece[]): Promise<void> {
  const results = await Promise.allSettled(runsOf(pieces).map((run) => writeRun(fd, run)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Pieces of which each begins where the one before ends. */
function runsOf(pieces: readonly Piece[]): Piece[][] {
  const runs: Piece[][] = [];
  let end = -1;
  for (const piece of pieces.toSorted((a, b) => a.offset - b.offset)) {
    if (piece.offset === end) runs.at(-1)?.push(piece);
    else runs.push([piece]);
    end = piece.offset + piece.bytes.length;
  }
  return runs;
}

async function writeRun(fd: number, run: readonly Piece[]): Promise<void> {
  let offset = run[0]?.offset ?? 0;
  let left = run.map(({ bytes }) => bytes);
  while (left.length > 0) {
    const { bytesWritten } = await writeAt(fd, left, offset);
    offset += bytesWritten;
    left = rest(left, bytesWritten);
  }
}

/** What is left of all the bytes after so many of them; nothing empty. */
function rest(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  return parts.flatMap((part) => {
    const skipped = Math.min(skip, part.length);
    skip -= skipped;
    return skipped < part.length ? [part.subarray(skipped)] : [];
  });
}
