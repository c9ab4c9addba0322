import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  type KeyObject,
} from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';

// A record: the length of its content (4 bytes, big-endian), the content under AES-256-GCM, the tag. The nonce is
// the record's number, the length is authenticated with it: "Bulk lines" in proto/README.md.

const algorithm = 'aes-256-gcm';
const lengthSize = 4;
const tagSize = 16;
const nonceSize = 12;
/** Of the content of one record, in bytes. */
export const recordSizeMax = 256 * KiB;

/** Up to this size sending a record in pieces costs more than to join them: requests, for the most part. */
const smallSizeMax = 4 * KiB;

/** Seals what one side of a line says. The key (32 bytes) must be used for nothing else. */
export class RecordSealer {
  readonly #key: KeyObject;
  #number = 0n;

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** @returns the record in pieces, to be sent one after another */
  seal(content: Uint8Array): Uint8Array[] {
    assert(content.length <= recordSizeMax, 'a record is bounded');
    const length = new Uint8Array(lengthSize);
    new DataView(length.buffer).setUint32(0, content.length);
    const cipher = createCipheriv(algorithm, this.#key, nonceOf(this.#number++));
    cipher.setAAD(length);
    const sealed = cipher.update(content);
    cipher.final();
    const pieces = [length, sealed, cipher.getAuthTag()];
    return content.length <= smallSizeMax ? [concat(pieces)] : pieces;
  }
}

type OpenRecord = { readonly decipher: DecipherGCM; readonly parts: Uint8Array[]; left: number };

/** Opens what the other side has sealed, in whatever pieces it arrives. */
export class RecordOpener {
  readonly #key: KeyObject;
  readonly #onRecord: (content: readonly Uint8Array[]) => void;
  readonly #length = new Gathered(lengthSize);
  readonly #tag = new Gathered(tagSize);
  #number = 0n;
  #record: OpenRecord | undefined;

  /** @param onRecord takes the content of each record, once all of it has been found genuine */
  constructor(key: Uint8Array, onRecord: (content: readonly Uint8Array[]) => void) {
    this.#key = createSecretKey(key);
    this.#onRecord = onRecord;
  }

  /** @throws HoldfastError corrupt; nothing may be pushed after that */
  push(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) {
      const record = this.#record;
      if (record === undefined) {
        rest = this.#length.take(rest);
        if (this.#length.isFull) this.#record = this.#begin(this.#length.empty());
      } else if (record.left > 0) {
        const piece = rest.subarray(0, record.left);
        record.parts.push(record.decipher.update(piece));
        record.left -= piece.length;
        rest = rest.subarray(piece.length);
      } else {
        rest = this.#tag.take(rest);
        if (this.#tag.isFull) this.#end(record, this.#tag.empty());
      }
    }
  }

  #begin(length: Uint8Array): OpenRecord {
    const left = new DataView(length.buffer, length.byteOffset).getUint32(0);
    if (left > recordSizeMax) throw notGenuine(`a record of ${left} bytes`);
    const nonce = nonceOf(this.#number++);
    const decipher = createDecipheriv(algorithm, this.#key, nonce, { authTagLength: tagSize });
    decipher.setAAD(length);
    return { decipher, parts: [], left };
  }

  #end({ decipher, parts }: OpenRecord, tag: Uint8Array): void {
    this.#record = undefined;
    decipher.setAuthTag(tag);
    try {
      decipher.final();
    } catch (cause) {
      throw notGenuine('a record whose tag does not match', cause);
    }
    this.#onRecord(parts);
  }
}

/** A few bytes that may arrive one by one. */
class Gathered {
  readonly #bytes: Uint8Array;
  #filled = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  get isFull(): boolean {
    return this.#filled === this.#bytes.length;
  }

  /** @returns what is left of `from` */
  take(from: Uint8Array): Uint8Array {
    const piece = from.subarray(0, this.#bytes.length - this.#filled);
    this.#bytes.set(piece, this.#filled);
    this.#filled += piece.length;
    return from.subarray(piece.length);
  }

  /** @returns a copy of the bytes; the next ones take their place */
  empty(): Uint8Array {
    this.#filled = 0;
    return this.#bytes.slice();
  }
}

function nonceOf(number: bigint): Uint8Array {
  const nonce = new Uint8Array(nonceSize);
  new DataView(nonce.buffer).setBigUint64(nonceSize - 8, number);
  return nonce;
}

function notGenuine(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('corrupt', `a bulk line brought ${what}`, { cause });
}
