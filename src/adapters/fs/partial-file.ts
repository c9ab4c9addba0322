import { closeSync, constants, fstatSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { TargetProblem } from '../../ports/target.ts';
import type { DirectoryHandle } from './directory-handle.ts';
import { applyMetadata, type Inherited, type Metadata } from './metadata.ts';
import { errnoOf } from './system-error.ts';
import { hasXattrs } from './xattrs.ts';

/** Readable by nobody else until owner and mode are right. */
const partialMode = 0o600;
const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** What a partial file needs of its directory. */
export type PartialPlace = Pick<DirectoryHandle, 'child' | 'retain'>;

/** A file under its partial name. Ends with complete or discard; its directory stays open until then. */
export class PartialFile {
  readonly fd: number;
  readonly #directory: PartialPlace;
  readonly #path: Buffer;
  readonly #entry: Metadata & { readonly name: Uint8Array };
  readonly #release: () => void;
  #isOpen = true;

  constructor(
    directory: PartialPlace,
    partialName: Buffer,
    entry: Metadata & { readonly name: Uint8Array },
  ) {
    this.#directory = directory;
    this.#entry = entry;
    this.#path = directory.child(partialName);
    this.fd = openSync(this.#path, createFlags, partialMode);
    this.#release = directory.retain();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What new files here have from their start, if nothing was changed in this one yet. */
  inherited(): Inherited {
    const { uid, gid } = fstatSync(this.fd);
    return { uid, gid, hasXattrs: hasXattrs(this.#path) };
  }

  /** Metadata, then the name; when that fails nothing is left. @param inherited what new files here have. */
  complete(inherited: Inherited): TargetProblem[] {
    try {
      const node = { path: this.#path, fd: this.fd, inherited };
      const problems = applyMetadata(node, this.#entry);
      giveName(this.#directory, this.#path, this.#entry.name);
      this.#close();
      return problems;
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Removes the file; nothing to do when it has ended already. */
  discard(): void {
    if (!this.#isOpen) return;
    removeIfThere(this.#path);
    this.#close();
  }

  #close(): void {
    this.#isOpen = false;
    try {
      closeSync(this.fd);
    } finally {
      this.#release();
    }
  }
}

/** Puts a complete node under its name, in place of any other node but a directory. */
export function giveName(directory: PartialPlace, path: Buffer, name: Uint8Array): void {
  try {
    renameSync(path, directory.child(name));
  } catch (error) {
    if (errnoOf(error) !== 'EISDIR') throw error;
    throw new HoldfastError(
      'unsafe-target',
      `a directory stands where ${printable(name)} belongs`,
      {
        next: 'move the directory away, or restore into a new directory',
        cause: error,
      },
    );
  }
}

export function removeIfThere(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
