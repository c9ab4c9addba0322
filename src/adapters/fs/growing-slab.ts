import { assert } from '../../base/assert.ts';
import { uncleared } from '../../base/uncleared.ts';

/** Bytes written one after another; the memory is kept for the next job, the content is copied out. */
export class GrowingSlab {
  /** Bytes in use; lowering it forgets the last ones. */
  size = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** Room for `length` bytes after those in use, valid until the next call. */
  reserve(length: number): Uint8Array {
    const needed = this.size + length;
    if (needed > this.#bytes.length) {
      const larger = uncleared(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.size));
      this.#bytes = larger;
    }
    return this.#bytes.subarray(this.size, needed);
  }

  push(bytes: Uint8Array): void {
    this.reserve(bytes.length).set(bytes);
    this.size += bytes.length;
  }

  /** A copy of exactly the bytes in use, which the caller owns; the slab is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    assert(this.size <= this.#bytes.length, 'no more in use than there is');
    const taken = uncleared(this.size);
    taken.set(this.#bytes.subarray(0, this.size));
    this.size = 0;
    return taken;
  }
}
