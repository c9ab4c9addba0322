import { readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from './atomic-write.ts';
import { fileNameOf, parseFileName, type ShardName } from './shard-file.ts';
import { errnoOf } from './system-error.ts';

/** Shard files that are no longer listed and not yet deleted, in a directory of their own. */
export class ShardTrash {
  readonly directory: string;
  /** By file name, with the sizes of the files. */
  readonly #sizes = new Map<string, number>();

  constructor(directory: string) {
    this.directory = directory;
  }

  async open(): Promise<void> {
    await makeDirectory(this.directory);
    for (const name of await readdir(this.directory)) {
      if (parseFileName(name)?.isPartial !== false) continue;
      this.#sizes.set(name, (await stat(join(this.directory, name))).size);
    }
  }

  has(name: ShardName): boolean {
    return this.#sizes.has(fileNameOf(name));
  }

  list(): (ShardName & { size: number })[] {
    return [...this.#sizes].flatMap(([file, size]) => {
      const name = parseFileName(file);
      return name === undefined ? [] : [{ pack: name.pack, index: name.index, size }];
    });
  }

  /** Moves a file in. @returns false when there is none. */
  async take(name: ShardName, path: string): Promise<boolean> {
    try {
      const { size } = await stat(path);
      await makeDirectory(this.directory);
      await rename(path, join(this.directory, fileNameOf(name)));
      this.#sizes.set(fileNameOf(name), size);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Moves a file out. @returns false when it is not there any more. */
  async give(name: ShardName, path: string): Promise<boolean> {
    this.#sizes.delete(fileNameOf(name));
    await makeDirectory(dirname(path));
    try {
      await rename(join(this.directory, fileNameOf(name)), path);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async delete(name: ShardName): Promise<void> {
    await rm(join(this.directory, fileNameOf(name)), { force: true });
    this.#sizes.delete(fileNameOf(name));
  }
}
