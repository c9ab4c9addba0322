import { writeSync } from 'node:fs';
import { HoldfastError, type ErrorCode, type ErrorDetails } from '../../core/errors.ts';
import { printable } from '../../base/bytes.ts';
import type { TargetProblem } from '../../ports/target.ts';
import type { Inherited, Metadata } from './metadata.ts';
import { PartialFile, type PartialPlace } from './partial-file.ts';
import { systemError } from './system-error.ts';

// What passes between the main thread and a write worker. Names travel as text of one character a byte: of an array
// that is a view, all that lies behind it would be cloned.

/** A small file whole. Its directory is kept open by the sender. */
export type FileToWrite = Metadata & {
  /** Descriptor of the directory. */
  readonly directory: number;
  /** Of the directory: its descriptor's number may come again, this does not. */
  readonly serial: number;
  readonly partialName: string;
  readonly name: string;
  readonly size: number;
};

/** Contents lie one after another in the slab, in the order of the files. */
export type WriteJob = {
  readonly slab: Uint8Array<ArrayBuffer>;
  readonly files: readonly FileToWrite[];
};

export type WriteFailure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string | undefined;
  readonly details: ErrorDetails;
};

export type WriteResult = { readonly problems: readonly TargetProblem[] } | WriteFailure;

/** The slab comes back to be used again. */
export type WriteAnswer = {
  readonly slab: Uint8Array<ArrayBuffer>;
  readonly results: readonly WriteResult[];
};

/** Writes small files, one after another. One for each thread. */
export class BatchWriter {
  /** Of new files in the directory of the newest file: the next one mostly lies there, too. */
  #newest: { readonly serial: number; readonly inherited: Inherited } | undefined;

  write({ slab, files }: WriteJob): WriteAnswer {
    let at = 0;
    const results = files.map((file) => {
      const content = slab.subarray(at, at + file.size);
      at += file.size;
      return this.#result(file, content);
    });
    return { slab, results };
  }

  #result(file: FileToWrite, content: Uint8Array): WriteResult {
    const name = Buffer.from(file.name, 'latin1');
    try {
      return { problems: this.#writeOne({ ...file, name }, content) };
    } catch (error) {
      const known = systemError(error, `write ${printable(name)}`);
      if (!(known instanceof HoldfastError)) throw known;
      const { code, message, next, details } = known;
      return { code, message, next, details };
    }
  }

  #writeOne(
    file: Omit<FileToWrite, 'name'> & { readonly name: Buffer },
    content: Uint8Array,
  ): TargetProblem[] {
    const place = placeOf(file.directory);
    const partial = new PartialFile(place, Buffer.from(file.partialName, 'latin1'), file);
    try {
      for (let done = 0; done < content.length; ) done += writeSync(partial.fd, content, done);
      return partial.complete(this.#inheritedBy(partial, file.serial));
    } catch (error) {
      partial.discard();
      throw error;
    }
  }

  #inheritedBy(partial: PartialFile, serial: number): Inherited {
    if (this.#newest?.serial !== serial) {
      this.#newest = { serial, inherited: partial.inherited() };
    }
    return this.#newest.inherited;
  }
}

/** A directory that another thread has opened, and keeps open. */
function placeOf(fd: number): PartialPlace {
  const prefix = Buffer.from(`/proc/self/fd/${fd}/`);
  return {
    child: (name) => Buffer.concat([prefix, name]),
    retain: () => () => {},
  };
}
