import { ftruncateSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { assert } from '../../base/assert.ts';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { TreeEntry } from '../../core/format/tree.ts';
import type { TargetFile, TargetProblem } from '../../ports/target.ts';
import type { Inherited } from './metadata.ts';
import type { PartialFile } from './partial-file.ts';
import { systemError } from './system-error.ts';

const writeAt = promisify(write);

/** A file written in pieces, which may be under way at the same time. */
export class FsTargetFile implements TargetFile {
  readonly #partial: PartialFile;
  readonly #entry: TreeEntry;
  readonly #inherited: Inherited;
  readonly #writing = new Set<Promise<void>>();

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
    const writing = writeAll(this.#partial.fd, offset, bytes);
    this.#writing.add(writing);
    try {
      await writing;
    } catch (error) {
      throw systemError(error, `write ${name}`);
    } finally {
      this.#writing.delete(writing);
    }
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

async function writeAll(fd: number, offset: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeAt(fd, bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
