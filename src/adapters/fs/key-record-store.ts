import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { equal } from '../../base/bytes.ts';
import { factHash } from '../../core/format/facts.ts';
import { type FactHash, idBytes } from '../../core/ids.ts';
import type { KeyRecordStore } from '../../ports/key-records.ts';
import { syncDirectory, writeDurable } from './atomic-write.ts';
import { errnoOf, systemError } from './system-error.ts';

/** Key records as files of their own, named by their hashes, in `directory`, which exists. */
export function openKeyRecordStore(directory: string): KeyRecordStore {
  return new FileKeyRecords(directory);
}

class FileKeyRecords implements KeyRecordStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async list(): Promise<readonly FactHash[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      throw systemError(error, `read ${this.#directory}`);
    });
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)) as FactHash[];
  }

  async get(hash: FactHash): Promise<Uint8Array | undefined> {
    try {
      const bytes = Uint8Array.from(await readFile(this.#path(hash)));
      return equal(factHash(bytes), idBytes(hash)) ? bytes : undefined;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw systemError(error, `read ${this.#path(hash)}`);
    }
  }

  /** Not by its name alone: what a crash has left half overwritten must be fetched again. */
  async has(hash: FactHash): Promise<boolean> {
    return (await this.get(hash)) !== undefined;
  }

  put(hash: FactHash, record: Uint8Array): Promise<void> {
    return writeDurable(this.#path(hash), record);
  }

  async remove(hash: FactHash): Promise<void> {
    const path = this.#path(hash);
    try {
      const { size } = await stat(path);
      const file = await open(path, 'r+');
      try {
        // In place: where the file system writes elsewhere, old blocks live on until it reuses them.
        await file.write(new Uint8Array(size), 0, size, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await rm(path, { force: true });
      await syncDirectory(this.#directory);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw systemError(error, `remove ${path}`);
    }
  }

  #path(hash: FactHash): string {
    return join(this.#directory, hash);
  }
}
