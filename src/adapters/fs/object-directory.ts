import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { dayMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ObjectStore, Retention, StoreAbilities } from '../../ports/object-store.ts';
import { makeDirectory, syncDirectory, syncOnce, temporarySuffix } from './atomic-write.ts';
import { readFully } from './file-access.ts';
import { errnoOf, systemError } from './system-error.ts';

/** What a write has beside its place until it is done. */
const leftover = new RegExp(`\\.[0-9a-f]{12}\\${temporarySuffix}$`);
/** No write takes so long, also by the clock of another host. */
const leftoverAgeMs = dayMs;
const keyPattern = /^[a-z0-9][a-z0-9.-]*(\/[a-z0-9][a-z0-9.-]*)*$/;

/**
 * Objects as files of a directory, perhaps on a disk that is slow, or mounted over the network. It is not created: a
 * directory that is missing is a disk that is not mounted.
 */
export function openObjectDirectory(directory: string): ObjectStore {
  return new ObjectDirectory(directory);
}

class ObjectDirectory implements ObjectStore {
  readonly name: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.name = directory;
    this.#directory = directory;
  }

  async abilities(): Promise<StoreAbilities> {
    await this.#run('look at', this.#directory, () => readdir(this.#directory));
    return { canLock: false, keepsVersions: false };
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(key);
    return this.#run('write', path, () =>
      this.#publish(path, bytes, async (temporary) => {
        try {
          // Unlike a rename, a link does not take the place of what is there.
          await link(temporary, path);
          return true;
        } catch (error) {
          if (errnoOf(error) === 'EEXIST') return false;
          throw error;
        } finally {
          await rm(temporary, { force: true });
        }
      }),
    );
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    await this.#run('write', path, () =>
      this.#publish(path, bytes, async (temporary) => {
        await rename(temporary, path);
        return true;
      }),
    );
  }

  /** Writes a file beside the place, and has it named there; durable when resolved. */
  async #publish(
    path: string,
    bytes: Uint8Array,
    give: (temporary: string) => Promise<boolean>,
  ): Promise<boolean> {
    await this.#makeParents(dirname(path));
    const temporary = `${path}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await syncOnce(() => file.sync(), temporary);
      } finally {
        await file.close();
      }
      const isGiven = await give(temporary);
      await syncDirectory(dirname(path));
      return isGiven;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Below the directory itself, which must be there. */
  async #makeParents(path: string): Promise<void> {
    if (path === this.#directory) return;
    try {
      await makeDirectory(path);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'not-found') throw error;
      await this.#makeParents(dirname(path));
      await makeDirectory(path);
    }
  }

  async read(
    key: string,
    { from, size }: { from: number; size: number },
  ): Promise<Uint8Array | undefined> {
    const path = this.#path(key);
    return this.#run('read', path, () =>
      unlessMissing(async () => {
        const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
        try {
          // Not more memory than there are bytes.
          const { size: whole } = await file.stat();
          return await readFully(file, from, Math.max(0, Math.min(size, whole - from)));
        } finally {
          await file.close();
        }
      }),
    );
  }

  async sizeOf(key: string): Promise<number | undefined> {
    const path = this.#path(key);
    return this.#run('look at', path, () => unlessMissing(async () => (await stat(path)).size));
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    const at = prefix.lastIndexOf('/');
    yield* this.#listBelow(prefix.slice(0, at + 1), prefix);
  }

  async *#listBelow(parent: string, prefix: string): AsyncIterable<{ key: string; size: number }> {
    const path = join(this.#directory, parent);
    const entries = await this.#run('list', path, () =>
      unlessMissing(() => readdir(path, { withFileTypes: true })),
    );
    for (const entry of entries ?? []) {
      const key = parent + entry.name;
      if (leftover.test(key) && key.startsWith(prefix)) await removeOld(join(path, entry.name));
      if (!keyPattern.test(key) || key.endsWith(temporarySuffix)) continue;
      if (entry.isDirectory()) {
        if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) {
          yield* this.#listBelow(`${key}/`, prefix);
        }
      } else if (key.startsWith(prefix)) {
        const size = await this.sizeOf(key);
        if (size !== undefined) yield { key, size };
      }
    }
  }

  async retain(_key: string, _retention: Retention): Promise<void> {
    throw new HoldfastError('not-permitted', `${this.name} is a directory and locks nothing`, {
      next: 'use a bucket with object lock where locks must bind whoever has the store’s keys',
    });
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#run('remove', path, async () => {
      await rm(path, { force: true });
      await unlessMissing(() => syncDirectory(dirname(path)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #path(key: string): string {
    assert(keyPattern.test(key) && key.length <= 200, 'a key is a path inside the store');
    return join(this.#directory, key);
  }

  /** A directory that is not there, and a disk that does not answer, are no loss of what they hold. */
  async #run<Result>(action: string, path: string, work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await work();
      if (result === undefined) await stat(this.#directory);
      return result;
    } catch (error) {
      const errno = errnoOf(error) ?? errnoOf((error as Error).cause);
      if (errno === undefined || !unreachable.has(errno)) {
        throw systemError(error, `${action} ${path}`);
      }
      throw new HoldfastError(
        'store-unreachable',
        `cannot ${action} ${path}: ${this.#directory} is not there (${errno})`,
        { next: `mount it, then: holdfast target check ${this.#directory}`, cause: error },
      );
    }
  }
}

/** Removes what a crash has left of a write. It is in nobody's way: where it cannot be removed, it stays. */
async function removeOld(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > leftoverAgeMs) await rm(path, { force: true });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

const unreachable: ReadonlySet<string> = new Set([
  ...['ENOENT', 'ENOTDIR', 'ESTALE', 'ENOTCONN', 'ETIMEDOUT', 'EHOSTDOWN', 'ENODEV', 'ENXIO'],
]);

async function unlessMissing<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    const errno = errnoOf(error) ?? errnoOf((error as Error).cause);
    if (errno === 'ENOENT') return undefined;
    throw error;
  }
}
