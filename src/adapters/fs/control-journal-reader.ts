import type { FileHandle } from 'node:fs/promises';
import { assert } from '../../base/assert.ts';
import { equal } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import type { KeyedHasher } from '../../core/crypto/hash.ts';
import {
  decodeRecordHead,
  type JournalRecordHead,
  recordBodySizeMax,
  recordHeadSize,
  recordMagic,
} from '../../core/format/journal-record.ts';
import { readFully } from './file-access.ts';

const windowSize = 1 * MiB;

export type FoundRecord = {
  readonly head: JournalRecordHead;
  readonly body: Uint8Array;
  readonly start: number;
  readonly end: number;
};

/** Finds records in a segment, and keeps one window of it in memory. */
export class JournalReader {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #hasher: KeyedHasher;
  #window: Uint8Array = new Uint8Array();
  #start = 0;

  /** @param size of the file in bytes. */
  constructor(file: FileHandle, size: number, hasher: KeyedHasher) {
    this.#file = file;
    this.size = size;
    this.#hasher = hasher;
  }

  /** The record that starts here; undefined when none does, or when it is damaged. @throws HoldfastError bad-encoding */
  async recordAt(start: number): Promise<FoundRecord | undefined> {
    const head = decodeRecordHead(this.#hasher, await this.#bytes(start, recordHeadSize));
    // The size is as it was written: the head has its own hash.
    if (head === undefined || head.bodySize > recordBodySizeMax) return undefined;
    const body = await this.#bytes(start + recordHeadSize, head.bodySize);
    if (body.length < head.bodySize || !equal(this.#hasher.hash(body), head.bodyHash)) {
      return undefined;
    }
    return { head, body, start, end: start + recordHeadSize + head.bodySize };
  }

  /** The first record that starts here or later, whatever stands before it. */
  async recordFrom(start: number): Promise<FoundRecord | undefined> {
    // Windows overlap, since the magic may begin in the last bytes of one.
    const step = windowSize - recordMagic.length + 1;
    for (let at = start; at + recordHeadSize <= this.size; at += step) {
      const bytes = await this.#read(at, windowSize);
      const window = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      let found = window.indexOf(recordMagic);
      for (; found >= 0; found = window.indexOf(recordMagic, found + 1)) {
        const record = await this.recordAt(at + found);
        if (record !== undefined) return record;
      }
    }
    return undefined;
  }

  /** A copy of the bytes of a range, as far as the file has them: what is kept of it must not hold the window. */
  async #bytes(position: number, size: number): Promise<Uint8Array> {
    assert(position >= 0 && size >= 0, 'a range lies in the file');
    if (size >= windowSize) return this.#read(position, size);
    const from = position - this.#start;
    if (from < 0 || from + size > this.#window.length) {
      this.#window = await this.#read(position, windowSize);
      this.#start = position;
      return this.#window.slice(0, size);
    }
    return this.#window.slice(from, from + size);
  }

  /** Never asks for more than the file has: a head in a torn file may speak of much more. */
  #read(position: number, size: number): Promise<Uint8Array> {
    return readFully(this.#file, position, Math.min(size, Math.max(0, this.size - position)));
  }
}
