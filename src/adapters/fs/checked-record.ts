import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { concat, equal, utf8 } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import { syncDirectory, writeDurable } from './atomic-write.ts';
import { errnoOf, systemError } from './system-error.ts';

// A file holds one record: SHA-256 of all the rest (32) ‖ "HFRC" ‖ version 1 (1) ‖ size of name (1) ‖ name ‖ record
const magic = utf8('HFRC\u0001');
const digestSize = 32;
const suffix = '.rec';

/** Of one record. */
export const recordSizeMax = 64 * KiB;

/**
 * Small records by name in one directory, each a file that is replaced as a whole. The name stands inside as
 * well, so that a file put under another name is not believed.
 */
export class CheckedRecords implements RecordStore {
  readonly #directory: string;

  /** `directory` exists. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns undefined when there is none. @throws HoldfastError corrupt (damaged, or of another name) | io-error */
  async read(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    try {
      // Before it is read: a planted file must not fill the memory.
      if ((await stat(path)).size > recordSizeMax + 1024) throw damaged(path);
      const record = recordIn(Uint8Array.from(await readFile(path)), name);
      if (record === undefined) throw damaged(path);
      return record;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw systemError(error, `read ${path}`);
    }
  }

  /** Durable when resolved. @throws HoldfastError disk-full | io-error */
  async write(name: string, record: Uint8Array): Promise<void> {
    assert(record.length <= recordSizeMax, 'a record is small');
    const nameBytes = utf8(name);
    const rest = concat([magic, Uint8Array.of(nameBytes.length), nameBytes, record]);
    await writeDurable(this.#path(name), concat([digestOf(rest), rest]));
  }

  async remove(name: string): Promise<void> {
    try {
      await rm(this.#path(name), { force: true });
    } catch (error) {
      throw systemError(error, `remove ${this.#path(name)}`);
    }
    await syncDirectory(this.#directory);
  }

  /** Sorted. */
  async names(): Promise<readonly string[]> {
    try {
      const files = await readdir(this.#directory);
      return files
        .filter((file) => file.endsWith(suffix) && !file.startsWith('.'))
        .map((file) => file.slice(0, -suffix.length))
        .sort();
    } catch (error) {
      throw systemError(error, `list ${this.#directory}`);
    }
  }

  #path(name: string): string {
    assert(/^[a-z0-9][a-z0-9._-]{0,159}$/.test(name), 'a name of a record is a file name');
    return join(this.#directory, name + suffix);
  }
}

function recordIn(bytes: Uint8Array, name: string): Uint8Array | undefined {
  const rest = bytes.subarray(digestSize);
  if (!equal(bytes.subarray(0, digestSize), digestOf(rest))) return undefined;
  const nameBytes = utf8(name);
  const head = concat([magic, Uint8Array.of(nameBytes.length), nameBytes]);
  return equal(rest.subarray(0, head.length), head) ? rest.slice(head.length) : undefined;
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

function damaged(path: string): HoldfastError {
  return new HoldfastError('corrupt', `${path} is damaged: what this host promised is not known`, {
    next: 'restore the file, or let this host join again under a new identity',
    details: { path },
  });
}
