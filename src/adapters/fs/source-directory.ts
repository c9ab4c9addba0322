import { closeSync, readlinkSync, readSync } from 'node:fs';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Xattr } from '../../core/format/tree.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../../ports/source.ts';
import type { DirectoryHandle } from './directory-handle.ts';
import { factsOf, statOfFd } from './file-facts.ts';
import type { Lister } from './listing.ts';
import { fileFlags, openQuietly } from './quiet-open.ts';
import { errnoOf, systemError } from './system-error.ts';
import { readXattrs } from './xattrs.ts';

/** An open directory of the source. Errors name what failed and why, not the path: the caller knows it. */
export class FsSourceDirectory implements SourceDirectory {
  /** For the reads that go through this directory. */
  readonly handle: DirectoryHandle;
  readonly #lister: Lister;
  /** As they were when it was listed. */
  #xattrs: readonly Xattr[] | undefined;

  constructor(handle: DirectoryHandle, lister: Lister) {
    this.handle = handle;
    this.#lister = lister;
  }

  async list(): Promise<readonly SourceEntry[]> {
    const { entries, xattrs } = await this.#lister(this.handle);
    this.#xattrs = xattrs;
    return entries;
  }

  async enter(name: Uint8Array): Promise<FsSourceDirectory> {
    try {
      return new FsSourceDirectory(this.handle.enter(name), this.#lister);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOTDIR' || errno === 'ELOOP') {
        throw new HoldfastError('not-found', `${printable(name)} is no longer a directory`, {
          details: { errno },
          cause: error,
        });
      }
      throw systemError(error, `open the directory ${printable(name)}`);
    }
  }

  readLink(name: Uint8Array): Uint8Array {
    try {
      return readlinkSync(this.handle.child(name), { encoding: 'buffer' });
    } catch (error) {
      if (errnoOf(error) === 'EINVAL') {
        throw new HoldfastError('not-found', `${printable(name)} is no longer a link`, {
          cause: error,
        });
      }
      throw systemError(error, `read the link ${printable(name)}`);
    }
  }

  xattrs(name: Uint8Array): readonly Xattr[] {
    try {
      return readXattrs(this.handle.child(name));
    } catch (error) {
      throw systemError(error, `read the extended attributes of ${printable(name)}`);
    }
  }

  ownXattrs(): readonly Xattr[] {
    if (this.#xattrs !== undefined) return this.#xattrs;
    try {
      return readXattrs(this.handle.self());
    } catch (error) {
      throw systemError(error, 'read the extended attributes of the directory');
    }
  }

  ownFacts(): FileFacts {
    return factsOf(statOfFd(this.handle.fd));
  }

  peek(name: Uint8Array, size: number): Uint8Array | undefined {
    let fd: number | undefined;
    try {
      fd = openQuietly(this.handle.child(name), fileFlags);
      if (!statOfFd(fd).isFile()) return undefined;
      const bytes = Buffer.alloc(size);
      return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
    } catch (error) {
      // Vanished, forbidden or unreadable: then it is not the marker that was looked for.
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.handle.close();
  }
}
