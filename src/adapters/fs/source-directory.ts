import { closeSync, promises, readdirSync, readlinkSync, readSync } from 'node:fs';
import { compare, printable } from '../../base/bytes.ts';
import { Turn } from '../../base/turn.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Xattr } from '../../core/format/tree.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../../ports/source.ts';
import type { DirectoryHandle } from './directory-handle.ts';
import { factsOf, statOf, statOfFd } from './file-facts.ts';
import { fileFlags, openQuietly } from './quiet-open.ts';
import { errnoOf, systemError } from './system-error.ts';
import { threadTime } from './thread-time.ts';
import { readXattrs } from './xattrs.ts';

/** Shared by all directories: a tree of many small ones would hold everybody else up as a large one does. */
const turn = new Turn(threadTime);
/** A directory file of this size holds some thousand names: worth a thread instead of blocking. */
const largeDirectorySize = 64 * KiB;

/** An open directory of the source. Errors name what failed and why, not the path: the caller knows it. */
export class FsSourceDirectory implements SourceDirectory {
  /** For the reads that go through this directory. */
  readonly handle: DirectoryHandle;

  constructor(handle: DirectoryHandle) {
    this.handle = handle;
  }

  async list(): Promise<readonly SourceEntry[]> {
    const release = this.handle.retain();
    try {
      const names = await this.#names();
      const entries: SourceEntry[] = [];
      for (const name of names) {
        if (turn.isOver) await turn.end();
        const stats = statOf(this.handle.child(name));
        if (stats !== undefined) entries.push({ name, facts: factsOf(stats) });
      }
      return entries;
    } catch (error) {
      throw systemError(error, 'list the directory');
    } finally {
      release();
    }
  }

  async #names(): Promise<Buffer[]> {
    const isLarge = statOfFd(this.handle.fd).size > largeDirectorySize;
    const path = this.handle.self();
    const names = isLarge
      ? await promises.readdir(path, { encoding: 'buffer' })
      : readdirSync(path, { encoding: 'buffer' });
    return names.sort(compare);
  }

  async enter(name: Uint8Array): Promise<FsSourceDirectory> {
    try {
      return new FsSourceDirectory(this.handle.enter(name));
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
