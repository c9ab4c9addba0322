import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { HoldfastError } from '../core/errors.ts';
import { readAll } from './read-all.ts';

/** A kit has a few hundred characters; whatever is longer is the wrong file. */
const kitBytesMax = 64 * 1024;

/** A new file for a recovery kit, for its owner only. Disposing removes it unless the kit was kept. */
export class KitFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #isKept = false;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** @throws HoldfastError io-error, also when the file exists: it may hold the kit of another cluster. */
  static async create(path: string): Promise<KitFile> {
    try {
      return new KitFile(path, await open(path, 'wx', 0o600));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new HoldfastError('io-error', `cannot make the kit's file: ${reason}`, {
        next: 'holdfast init --kit FILE ... with the name of a new file',
        cause: error,
      });
    }
  }

  /** Durable when it resolves. */
  async keep(kitText: string): Promise<void> {
    await this.#handle.writeFile(kitText.endsWith('\n') ? kitText : `${kitText}\n`);
    await this.#handle.sync();
    const directory = await open(dirname(this.path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    this.#isKept = true;
  }

  /** What it held is not in force: disposing removes it. */
  async forget(): Promise<void> {
    this.#isKept = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    if (!this.#isKept) await rm(this.path, { force: true });
  }
}

/** The text of a kit, and whether others on this host can read its file. "-" is standard input. */
export async function readKit(
  path: string,
  { stdin, signal }: { stdin: Readable; signal: AbortSignal },
): Promise<{ text: string; isExposed: boolean }> {
  if (path === '-') {
    const bytes = await readAll(stdin, { bytesMax: kitBytesMax, signal });
    return { text: bytes.toString('utf8'), isExposed: false };
  }
  try {
    const facts = await stat(path);
    if (facts.size > kitBytesMax) {
      throw new HoldfastError('usage', `${path} is too large for a recovery kit`);
    }
    return { text: await readFile(path, 'utf8'), isExposed: (facts.mode & 0o077) !== 0 };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('io-error', `cannot read the recovery kit: ${reason}`, {
      next: 'give the file that holds the kit: --kit FILE',
      cause: error,
    });
  }
}
