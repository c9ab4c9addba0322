import { assert } from '../../base/assert.ts';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type {
  Chunking,
  ReadBatch,
  ReadRequest,
  Source,
  SourceDirectory,
} from '../../ports/source.ts';
import { AccountNames } from './account-names.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { ListingQueue } from './listing.ts';
import { batchOf, type FileRequest } from './read-job.ts';
import { ReadPool } from './read-pool.ts';
import { FsSourceDirectory } from './source-directory.ts';
import { errnoOf, systemError } from './system-error.ts';

// Directories live on the main thread as open descriptors; worker threads list them and read file content through the
// same descriptors (directory-handle.ts). A batch of files goes to one worker and comes back as one slab.

/** The files of this host. `threads` read at once; they start with the first read. */
export function openSource(options: { threads: number }): Source {
  assert(options.threads >= 1, 'at least one thread reads');
  return new FsSource(options.threads);
}

class FsSource implements Source {
  readonly #pool: ReadPool;
  readonly #accounts = new AccountNames();

  readonly #listings: ListingQueue;

  constructor(threads: number) {
    this.#pool = new ReadPool(threads);
    this.#listings = new ListingQueue({
      run: (job, options) => this.#pool.list(job, options),
      // The next job waits at the thread when it has done one.
      lanes: threads + 1,
    });
  }

  async open(path: Uint8Array): Promise<SourceDirectory> {
    if (path[0] !== slash || path.includes(0)) {
      throw new HoldfastError('not-found', `${printable(path)} is not an absolute path`, {
        next: 'name the files with a path that begins with /',
      });
    }
    const parent = parentOf(path);
    try {
      // Links on the way were named by a person (/var/run): only the last component is taken as it is.
      const handle = DirectoryHandle.open(parent, { followLast: true });
      return new FsSourceDirectory(handle, this.#listings.list);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOTDIR' || errno === 'ELOOP') {
        throw new HoldfastError('not-found', `${printable(parent)} is not a directory`, {
          cause: error,
        });
      }
      throw systemError(error, `open the directory ${printable(parent)}`);
    }
  }

  userName(uid: number): string {
    return this.#accounts.user(uid);
  }

  groupName(gid: number): string {
    return this.#accounts.group(gid);
  }

  async read(
    requests: readonly ReadRequest[],
    chunking: Chunking,
    options: Cancel = {},
  ): Promise<ReadBatch> {
    const directories = requests.map(({ directory }) => {
      assert(directory instanceof FsSourceDirectory, 'a directory of this source');
      return directory.handle;
    });
    const files = requests.map(({ name, offset, sizeMax }, i): FileRequest => {
      // A view of the Buffer pool would be cloned with the whole pool.
      const path = new Uint8Array((directories[i] as DirectoryHandle).child(name));
      return { path, offset, sizeMax };
    });
    // All are open, as their paths have shown.
    const releases = directories.map((handle) => handle.retain());
    const onDone = (): void => {
      for (const release of releases) release();
    };
    return batchOf(await this.#pool.read({ requests: files, chunking }, { ...options, onDone }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

const slash = 0x2f;

/** All before the last component; / for / itself. */
function parentOf(path: Uint8Array): Uint8Array {
  let end = path.length;
  while (end > 1 && path[end - 1] === slash) end--;
  const cut = path.subarray(0, end).lastIndexOf(slash);
  return path.subarray(0, Math.max(cut, 1));
}
