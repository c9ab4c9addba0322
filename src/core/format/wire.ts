import { assert } from '../../base/assert.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { malformed } from './field.ts';

/**
 * The protobuf wire format by hand, for tree entries alone: a backup writes and a restore reads one for
 * each file, and the generated codec spends most of its time on bigints there.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A field's number and form, as they stand before its value. */
export function tagOf(field: number, type: number): number {
  return field * 8 + type;
}

/** Bytes of a varint. `value` is a whole number from 0 to 2^53 - 1. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** A growing array of fields. */
export class WireWriter {
  #bytes = new Uint8Array(4096);
  #at = 0;

  /** What was written since the last `clear`, preceded by its length: one record of a stream. */
  record(): Uint8Array {
    const size = this.#at;
    const prefixSize = varintSize(size);
    const record = new Uint8Array(prefixSize + size);
    record.set(this.#bytes.subarray(0, size), prefixSize);
    let rest = size;
    for (let i = 0; i < prefixSize; i++) {
      record[i] = i < prefixSize - 1 ? (rest % 0x80) | 0x80 : rest;
      rest = Math.floor(rest / 0x80);
    }
    return record;
  }

  clear(): void {
    this.#at = 0;
  }

  /** `value`: 0 to 2^53 - 1. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe whole number');
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** `value`: 0 to 2^64 - 1. */
  varint64(value: bigint): void {
    assert(value >= 0n && value <= 0xffff_ffff_ffff_ffffn, 'a long varint has 64 bits');
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  /** The start of a field: see `tagOf`. */
  tag(field: number, type: number): void {
    this.varint(tagOf(field, type));
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A number field; left out when zero, as proto3 does. */
  number(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, wireType.varint);
    this.varint(value);
  }

  /** A 64-bit field; left out when zero. */
  long(field: number, value: bigint): void {
    if (value === 0n) return;
    this.tag(field, wireType.varint);
    this.varint64(value);
  }

  /** A signed 64-bit field, zigzag; left out when zero. */
  signed(field: number, value: bigint): void {
    this.long(field, BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  }

  /** A bytes field; left out when empty. */
  bytes(field: number, value: Uint8Array): void {
    if (value.length > 0) this.item(field, value);
  }

  /** A text field; left out when empty. */
  text(field: number, value: string): void {
    if (value === '') return;
    const start = this.#at;
    this.tag(field, wireType.bytes);
    this.varint(value.length);
    this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) {
        this.#at = start;
        this.bytes(field, utf8(value));
        return;
      }
      this.#bytes[this.#at++] = unit;
    }
  }

  /** One item of a repeated bytes field; there even when empty. */
  item(field: number, value: Uint8Array): void {
    this.tag(field, wireType.bytes);
    this.varint(value.length);
    this.raw(value);
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Reads fields, never beyond the end of the part being read. All methods throw bad-encoding. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** 0 to 2^53 - 1. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw malformed('a number of a record is too large');
  }

  /** 0 to 2^64 - 1. */
  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) break;
        return value;
      }
    }
    throw malformed('a number of a record has more than 64 bits');
  }

  /** The other half of zigzag: 0, -1, 1, -2, ... */
  signed64(): bigint {
    const value = this.varint64();
    return (value >> 1n) ^ -(value & 1n);
  }

  uint32(): number {
    const value = this.varint();
    if (value > 0xffff_ffff) throw malformed('a number of a record has more than 32 bits');
    return value;
  }

  /** A view of a length-prefixed field. */
  bytes(): Uint8Array {
    const from = this.#length();
    return this.#bytes.subarray(from, this.#at);
  }

  /** UTF-8 text of a length-prefixed field. */
  text(): string {
    const from = this.#length();
    const bytes = this.#bytes.subarray(from, this.#at);
    let ascii = '';
    for (const byte of bytes) {
      if (byte >= 0x80) return validText(bytes);
      ascii += String.fromCharCode(byte);
    }
    return ascii;
  }

  /** Reads a length-prefixed part with the same reader, which ends there meanwhile. */
  within<Result>(read: (reader: this) => Result): Result {
    const from = this.#length();
    const outer = this.#end;
    this.#end = this.#at;
    this.#at = from;
    const result = read(this);
    if (this.#at !== this.#end) throw malformed('a record has bytes too many');
    this.#end = outer;
    return result;
  }

  /** Passes over a field that a later version added; one of the known numbers has a wrong form. */
  skip(tag: number, fieldMax: number): void {
    const field = Math.floor(tag / 8);
    if (field === 0 || field <= fieldMax) throw malformed(`field ${field} of a record is wrong`);
    const type = tag % 8;
    if (type === wireType.varint) this.varint64();
    else if (type === wireType.fixed64) this.#advance(8);
    else if (type === wireType.bytes) this.#length();
    else if (type === wireType.fixed32) this.#advance(4);
    else throw malformed(`field ${field} of a record has an unknown form`);
  }

  /** Reads a length and passes over what it covers. @returns where that starts. */
  #length(): number {
    const size = this.varint();
    const from = this.#at;
    this.#advance(size);
    return from;
  }

  #advance(size: number): void {
    if (size > this.#end - this.#at) throw malformed('a record is cut short');
    this.#at += size;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('a record is cut short');
    return this.#bytes[this.#at++] as number;
  }
}

function validText(bytes: Uint8Array): string {
  const text = fromUtf8(bytes);
  if (text === undefined) throw malformed('a text of a record is not UTF-8');
  return text;
}
