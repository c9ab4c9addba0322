import { type FileHandle, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { AuditStore } from '../../ports/audit-store.ts';
import type { Log } from '../../ports/runtime.ts';
import { syncDirectory, syncOnce } from './atomic-write.ts';
import { readFully, writeFully } from './file-access.ts';
import { systemError } from './system-error.ts';

// A file `log-<number>` holds records: size (2, big-endian) ‖ crc32 of size and entry (4) ‖ entry.
// One that is damaged stays as `log-<number>.damaged`, and the next number begins.

const headSize = 6;
const windowSize = 1 << 20;
const namePattern = /^log-([1-9][0-9]{0,8})(\.damaged)?$/;

/**
 * The audit log in a directory that exists. A torn end is cut off. Damage before the end is not mended: peers
 * remember what stood there, and nobody shall think that it was never said.
 * @throws HoldfastError disk-full | io-error
 */
export async function openAuditStore(
  directory: string,
  log: Log,
): Promise<AuditStore & AsyncDisposable> {
  const numbers = (await readdir(directory)).map((name) => namePattern.exec(name));
  const whole = numbers.filter((match) => match?.[2] === undefined).map((match) => match?.[1]);
  const newest = Math.max(0, ...whole.map(Number).filter(Number.isSafeInteger));
  const putAside = numbers
    .flatMap((match) => (match?.[2] === undefined ? [] : [Number(match[1])]))
    .sort((a, b) => a - b);
  const found = newest > 0 ? await openFile(directory, newest, putAside) : undefined;
  if (found === undefined) return openFile(directory, Math.max(0, ...putAside) + 1, putAside);
  if (!found.isDamaged) return found;
  await found[Symbol.asyncDispose]();
  const path = join(directory, `log-${newest}`);
  await rename(path, `${path}.damaged`);
  await syncDirectory(directory);
  log.log('error', trustMessages.auditLogDamaged, { path, good: found.size });
  return openFile(directory, newest + 1, [...putAside, newest]);
}

async function openFile(
  directory: string,
  number: number,
  putAside: readonly number[],
): Promise<FileAuditStore> {
  const path = join(directory, `log-${number}`);
  const file = await open(path, 'a+', 0o600).catch((error: unknown) => {
    throw systemError(error, `open ${path}`);
  });
  await syncDirectory(directory);
  const store = new FileAuditStore(file, path, { number, putAside });
  await store.scan();
  return store;
}

class FileAuditStore implements AuditStore, AsyncDisposable {
  readonly number: number;
  readonly putAside: readonly number[];
  readonly #file: FileHandle;
  readonly #path: string;
  /** Where each entry's record begins. */
  readonly #offsets: number[] = [];
  readonly #turn = new Semaphore(1);
  #end = 0;
  isDamaged = false;

  constructor(file: FileHandle, path: string, place: Pick<AuditStore, 'number' | 'putAside'>) {
    this.#file = file;
    this.#path = path;
    this.number = place.number;
    this.putAside = place.putAside;
  }

  get size(): number {
    return this.#offsets.length;
  }

  /** Finds the entries, and cuts off an append that was never confirmed. */
  async scan(): Promise<void> {
    const { size } = await this.#file.stat();
    let window: Uint8Array = new Uint8Array();
    let start = 0;
    while (this.#end < size) {
      let at = this.#end - start;
      if (recordIn(window, at) === undefined) {
        start = this.#end;
        window = await readFully(this.#file, start, windowSize);
        at = 0;
      }
      const record = recordIn(window, at);
      if (record === undefined) break;
      this.#offsets.push(this.#end);
      this.#end += headSize + record.length;
    }
    if (this.#end === size) return;
    this.isDamaged = await this.#hasMoreAfter(this.#end, size);
    if (!this.isDamaged) await this.#file.truncate(this.#end);
  }

  /** Whether a good record stands somewhere behind one that is not: then it was confirmed, and was changed since. */
  async #hasMoreAfter(end: number, size: number): Promise<boolean> {
    const rest = await readFully(this.#file, end, Math.min(size - end, 2 * windowSize));
    for (let at = 1; at < rest.length; at++) if (recordIn(rest, at) !== undefined) return true;
    return false;
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      const records = entries.map(recordOf);
      await writeFully(this.#file, this.#end, concat(records));
      await syncOnce(() => this.#file.datasync(), this.#path);
      for (const record of records) {
        this.#offsets.push(this.#end);
        this.#end += record.length;
      }
    } catch (error) {
      throw systemError(error, `write ${this.#path}`);
    } finally {
      release();
    }
  }

  async read(from: number, count: number): Promise<Uint8Array[]> {
    const to = Math.min(this.size, from + count);
    if (from >= to) return [];
    const start = this.#offsets[from] as number;
    const end = this.#offsets[to] ?? this.#end;
    const bytes = await readFully(this.#file, start, end - start);
    return this.#offsets.slice(from, to).map((offset) => {
      const entry = recordIn(bytes, offset - start);
      if (entry !== undefined) return entry.slice();
      throw new HoldfastError('corrupt', `${this.#path} was changed under the running agent`, {
        next: 'holdfast audit verify',
        details: { path: this.#path, offset },
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function recordOf(entry: Uint8Array): Uint8Array {
  assert(entry.length > 0 && entry.length <= 0xffff, 'an entry has 1 to 65535 bytes');
  const record = new Uint8Array(headSize + entry.length);
  const view = new DataView(record.buffer);
  view.setUint16(0, entry.length);
  record.set(entry, headSize);
  view.setUint32(2, crc32(entry, crc32(record.subarray(0, 2))));
  return record;
}

/** The entry of a whole and good record at a place, as a view; undefined when there is none. */
function recordIn(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (at < 0 || at + headSize > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  const size = view.getUint16(0);
  if (size === 0 || headSize + size > view.byteLength) return undefined;
  const entry = bytes.subarray(at + headSize, at + headSize + size);
  const sum = crc32(entry, crc32(bytes.subarray(at, at + 2)));
  return view.getUint32(2) === sum ? entry : undefined;
}
