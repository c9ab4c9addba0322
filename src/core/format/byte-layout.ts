import { assert } from '../../base/assert.ts';
import { fromUtf8, printable, utf8 } from '../../base/bytes.ts';
import { malformed } from './field.ts';

/** Reads a fixed layout of big-endian fields; every step checks that the bytes are there. */
export class LayoutReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Names the thing in errors. */
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** A view of the next bytes. @throws HoldfastError bad-encoding, as all below */
  take(size: number): Uint8Array {
    const from = this.#advance(size);
    return this.#bytes.subarray(from, from + size);
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** Exactly this ASCII text. */
  magic(text: string): void {
    const found = this.take(text.length);
    if (fromUtf8(found) !== text) {
      throw malformed(`${this.#what} has "${printable(found)}" where "${text}" must stand`);
    }
  }

  /** The version byte of a layout that has had one version so far. */
  versionOne(): void {
    const version = this.byte();
    if (version !== 1) throw malformed(`${this.#what} has version ${version}, known is 1`);
  }

  zeros(size: number): void {
    if (this.take(size).some((byte) => byte !== 0)) {
      throw malformed(`${this.#what} has bytes set that must be zero`);
    }
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) throw malformed(`${this.#what} has ${this.left} bytes too many`);
  }

  #advance(size: number): number {
    if (size > this.left) throw malformed(`${this.#what} is cut short`);
    const from = this.#at;
    this.#at += size;
    return from;
  }
}

/** Fills an array of known size with big-endian fields. */
export class LayoutWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  put(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  text(text: string): this {
    return this.put(utf8(text));
  }

  byte(value: number): this {
    assert(value >= 0 && value <= 0xff, 'a byte fits its field');
    this.#view.setUint8(this.#at++, value);
    return this;
  }

  uint16(value: number): this {
    assert(value >= 0 && value <= 0xffff, 'a number fits 16 bits');
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
    return this;
  }

  uint32(value: number): this {
    assert(value >= 0 && value <= 0xffff_ffff, 'a number fits 32 bits');
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
    return this;
  }

  zeros(size: number): this {
    this.#at += size;
    return this;
  }

  /** The array, which is full now. */
  done(): Uint8Array {
    assert(this.#at === this.#bytes.length, 'a layout has the size that was computed for it');
    return this.#bytes;
  }
}
