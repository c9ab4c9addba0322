import { fchmodSync, linkSync, mkdirSync, promises, symlinkSync } from 'node:fs';
import { assert } from '../../base/assert.ts';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { kindOf, type TreeEntry } from '../../core/format/tree.ts';
import type { Overwrite, TargetDirectory, TargetFile, TargetProblem } from '../../ports/target.ts';
import { type DirectoryHandle, isEntryName } from './directory-handle.ts';
import { statOf, statOfFd } from './file-facts.ts';
import { applyMetadata, type Inherited, isRefusal } from './metadata.ts';
import { makeNode } from './native.ts';
import { decideOverwrite } from './overwrite.ts';
import { giveName, PartialFile, removeIfThere } from './partial-file.ts';
import type { PartialNames } from './partial-names.ts';
import { errnoOf, systemError } from './system-error.ts';
import type { SmallFileWriter } from './small-file-writer.ts';
import { FsTargetFile } from './target-file.ts';

/** Until it is finished nobody else looks into a directory, whatever its mode will be. */
export const openMode = 0o700;

/** What all directories of one target share. */
export type TargetParts = { readonly partials: PartialNames; readonly smallFiles: SmallFileWriter };

/** An open directory of the target. Names come from a tree that others may have written, so each is checked. */
export class FsTargetDirectory implements TargetDirectory {
  readonly #handle: DirectoryHandle;
  readonly #parts: TargetParts;
  /** Tells its small files from those of another directory that had the same descriptor before. */
  readonly #serial: number;
  /** All new files of a directory have the same. */
  #inherited: Inherited | undefined;

  private constructor(handle: DirectoryHandle, parts: TargetParts) {
    this.#handle = handle;
    this.#parts = parts;
    this.#serial = parts.smallFiles.newSerial();
  }

  /** A directory that stood before: made usable for its owner, freed of what a killed restore left. */
  static async resume(handle: DirectoryHandle, parts: TargetParts): Promise<FsTargetDirectory> {
    try {
      const mode = Number(statOfFd(handle.fd).mode);
      if ((mode & openMode) !== openMode) fchmodSync(handle.fd, (mode & 0o7777) | openMode);
    } catch (error) {
      // Another user's directory: writing will tell.
      if (!isRefusal(error)) throw error;
    }
    for (const name of await promises.readdir(handle.self(), { encoding: 'buffer' })) {
      if (parts.partials.isLeftover(name)) removeIfThere(handle.child(name));
    }
    return new FsTargetDirectory(handle, parts);
  }

  async enter(entry: TreeEntry): Promise<FsTargetDirectory> {
    const path = this.#pathOf(entry.name);
    const isNew = this.#doing(entry, 'create the directory', () => makeDirectory(path));
    const handle = this.#doing(entry, 'open the directory', () => this.#enterHandle(entry.name));
    if (isNew) return new FsTargetDirectory(handle, this.#parts);
    try {
      return await FsTargetDirectory.resume(handle, this.#parts);
    } catch (error) {
      handle.close();
      throw systemError(error, `prepare the directory ${printable(entry.name)}`);
    }
  }

  #enterHandle(name: Uint8Array): DirectoryHandle {
    try {
      return this.#handle.enter(name);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error;
      const what = `a link or file stands where the directory ${printable(name)} belongs`;
      throw new HoldfastError('unsafe-target', what, {
        next: 'move it away, or restore into a new directory',
        cause: error,
      });
    }
  }

  check(entry: TreeEntry, overwrite: Overwrite): 'write' | 'same' | 'skip' {
    const path = this.#pathOf(entry.name);
    return this.#doing(entry, 'look at', () => decideOverwrite(path, entry, overwrite));
  }

  writeFile(entry: TreeEntry, content: Uint8Array): Promise<readonly TargetProblem[]> {
    if (content.length !== entry.size) {
      const what = `the content of ${printable(entry.name)} is not as long as its size`;
      throw new HoldfastError('corrupt', what);
    }
    this.#pathOf(entry.name);
    const place = { directory: this.#handle.fd, serial: this.#serial };
    const partialName = this.#parts.partials.next().toString('latin1');
    const release = this.#handle.retain();
    return this.#parts.smallFiles.write({ ...place, partialName, entry }, content).finally(release);
  }

  createFile(entry: TreeEntry): TargetFile {
    return this.#doing(entry, 'create', () => {
      const partial = this.#newPartial(entry);
      try {
        return new FsTargetFile(partial, entry, this.#inheritedBy(partial));
      } catch (error) {
        partial.discard();
        throw error;
      }
    });
  }

  #inheritedBy(partial: PartialFile): Inherited {
    this.#inherited ??= partial.inherited();
    return this.#inherited;
  }

  #newPartial(entry: TreeEntry): PartialFile {
    this.#pathOf(entry.name);
    return new PartialFile(this.#handle, this.#parts.partials.next(), entry);
  }

  writeSpecial(entry: TreeEntry): readonly TargetProblem[] {
    this.#pathOf(entry.name);
    return this.#replacing(entry, (path) => {
      try {
        makeSpecial(path, entry);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return [{ what: `${kindOf(entry.mode)} not created (${errnoOf(error)})` }];
      }
      const problems = applyMetadata({ path }, entry);
      giveName(this.#handle, path, entry.name);
      return problems;
    });
  }

  writeLink(
    entry: TreeEntry,
    original: { directory: TargetDirectory; name: Uint8Array },
  ): readonly TargetProblem[] {
    assert(original.directory instanceof FsTargetDirectory, 'a directory of this target');
    const from = original.directory.#pathOf(original.name);
    const to = this.#pathOf(entry.name);
    return this.#replacing(entry, (path) => {
      const first = statOf(from);
      const standing = statOf(to);
      // Renaming one link of a file over another is no change and would leave both.
      if (first !== undefined && first.ino === standing?.ino && first.dev === standing.dev)
        return [];
      linkSync(from, path);
      giveName(this.#handle, path, entry.name);
      return [];
    });
  }

  finish(entry: TreeEntry): readonly TargetProblem[] {
    const node = { path: this.#handle.self(), fd: this.#handle.fd };
    return this.#doing(entry, 'set the metadata of', () => applyMetadata(node, entry));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#handle.close();
  }

  #pathOf(name: Uint8Array): Buffer {
    if (isEntryName(name)) return this.#handle.child(name);
    const what = `the backup holds a name that would lead out of its directory: ${printable(name)}`;
    throw new HoldfastError('unsafe-target', what, { next: 'restore the other files without it' });
  }

  /** Lets `make` build a node under a partial name and give it its own; nothing partial is left. */
  #replacing(entry: TreeEntry, make: (path: Buffer) => TargetProblem[]): TargetProblem[] {
    const path = this.#handle.child(this.#parts.partials.next());
    return this.#doing(entry, 'create', () => {
      try {
        return make(path);
      } catch (error) {
        removeIfThere(path);
        throw error;
      }
    });
  }

  #doing<T>(entry: TreeEntry, verb: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw systemError(error, `${verb} ${printable(entry.name)}`);
    }
  }
}

/** @returns true when it was not there. */
function makeDirectory(path: Buffer): boolean {
  try {
    mkdirSync(path, openMode);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

const typeMask = 0o170000;
/** st_mode of a node before its metadata is set. */
const nodeMode = 0o600;

function makeSpecial(path: Buffer, entry: TreeEntry): void {
  const kind = kindOf(entry.mode);
  assert(kind !== undefined && kind !== 'file' && kind !== 'directory', 'a special file');
  if (kind !== 'symlink') {
    makeNode(path, (entry.mode & typeMask) | nodeMode, entry.rdev);
    return;
  }
  const { target } = entry;
  if (target === undefined || target.length === 0 || target.includes(0)) {
    throw new HoldfastError('corrupt', `the link ${printable(entry.name)} leads to no path`);
  }
  symlinkSync(Buffer.from(target), path);
}
