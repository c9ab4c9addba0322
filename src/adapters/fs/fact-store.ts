import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { equal, toHex } from '../../base/bytes.ts';
import { hash as hashFor } from '../../core/crypto/hash.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import { makeDirectory, syncDirectory, writeDurable } from './atomic-write.ts';
import { isFile } from './file-access.ts';
import { errnoOf, systemError } from './system-error.ts';

/**
 * Facts as files `<first 2 hexadecimal digits>/<hash>` below `directory`, which exists.
 * A file that no longer matches its name is deleted on reading: facts are had again from any member.
 */
export async function openFactStore(directory: string): Promise<FactStore> {
  // Names of subdirectories that an earlier process made and did not live to sync.
  await syncDirectory(directory);
  return new FileFactStore(directory);
}

/** Facts in memory, gone with the process. */
export function memoryFactStore(): FactStore {
  const facts = new Map<string, Uint8Array>();
  return {
    get: async (hash) => facts.get(toHex(hash))?.slice(),
    has: async (hash) => facts.has(toHex(hash)),
    put: async (hash, fact) => {
      facts.set(toHex(hash), fact.slice());
    },
  };
}

class FileFactStore implements FactStore {
  readonly #directory: string;
  readonly #writing = new Map<string, Promise<void>>();
  /** Directories synced since the store was opened: only there does a file's presence mean that it is durable. */
  readonly #synced = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async get(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const path = this.#path(toHex(hash));
    try {
      const fact = Uint8Array.from(await readFile(path));
      if (equal(hashFor('fact', fact), hash)) return fact;
      await rm(path, { force: true });
      return undefined;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw systemError(error, `read ${path}`);
    }
  }

  async has(hash: Uint8Array): Promise<boolean> {
    const path = this.#path(toHex(hash));
    try {
      return (await stat(path)).isFile();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw systemError(error, `read ${path}`);
    }
  }

  async put(hash: Uint8Array, fact: Uint8Array): Promise<void> {
    const name = toHex(hash);
    // Two puts of one fact: the second must not resolve before the first has made it durable.
    const writing =
      this.#writing.get(name) ?? this.#write(name, fact).finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
    await writing;
  }

  async #write(name: string, fact: Uint8Array): Promise<void> {
    const directory = join(this.#directory, name.slice(0, 2));
    const path = this.#path(name);
    if (await isFile(path)) {
      // The process that wrote it may have died before its sync.
      if (!this.#synced.has(directory)) await syncDirectory(directory);
    } else {
      await makeDirectory(directory);
      await writeDurable(path, fact);
    }
    this.#synced.add(directory);
  }

  #path(name: string): string {
    return join(this.#directory, name.slice(0, 2), name);
  }
}
