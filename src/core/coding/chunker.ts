import { assert } from '../../base/assert.ts';
import { halfSipHash } from './half-sip-hash.ts';

/** How a dataset's content is cut. Sizes in bytes; the key is secret, so that cuts tell nothing of the content. */
export type CutRule = {
  /** At least 64: both hashes look back at most 32 bytes and never past the chunk's start. */
  readonly min: number;
  /** A power of two, at least 16384. */
  readonly average: number;
  readonly max: number;
  /** 40 bytes. */
  readonly cutKey: Uint8Array;
};

/** Bytes of a cut key. */
export const cutKeySize = 40;

/** What the first hash must be at a cut, and 8 bytes earlier in its low four bits: 12 bits in all. */
const hashAtCut = 0x5a;
const earlierNibble = 3;
const firstStageBits = 12;
const rollingWindow = 8;
const sipWindow = 32;
/** Cuts are four times rarer than the average asks before it, four times as frequent after: sizes stay together. */
const normalisation = 2;

/**
 * Cuts content where the content itself says so, as in "Chunking" of proto/README.md: a change moves only
 * the cuts next to it. A rolling hash finds one candidate in 4096 bytes, a keyed hash decides.
 */
export class Chunker {
  readonly #min: number;
  readonly #average: number;
  readonly #max: number;
  /** The rolling hash's term for each byte value. */
  readonly #terms: Uint8Array;
  readonly #sipKey: { readonly k0: number; readonly k1: number };
  readonly #maskToAverage: number;
  readonly #maskAfter: number;

  constructor(rule: CutRule) {
    checkRule(rule);
    this.#min = rule.min;
    this.#average = rule.average;
    this.#max = rule.max;
    this.#terms = termsOf(rule.cutKey);
    const key = new DataView(rule.cutKey.buffer, rule.cutKey.byteOffset + 32, 8);
    this.#sipKey = { k0: key.getInt32(0, true), k1: key.getInt32(4, true) };
    const bits = Math.log2(rule.average) - firstStageBits;
    this.#maskToAverage = topBits(bits + normalisation);
    this.#maskAfter = topBits(bits - normalisation);
  }

  /**
   * End of the chunk that begins at `start`. Depends on nothing but the bytes from `start` on.
   * @param limit end of the bytes at hand. @param isLast no more will follow them.
   * @returns undefined when more bytes are needed (then call again from the same start; `max` bytes
   * always suffice), or when there are none.
   */
  next(bytes: Uint8Array, start: number, limit: number, isLast: boolean): number | undefined {
    assert(start >= 0 && start <= limit && limit <= bytes.length, 'a chunk lies in its buffer');
    const end = Math.min(limit, start + this.#max);
    const average = Math.min(end, start + this.#average);
    const from = start + this.#min;
    const cut =
      this.#scan(bytes, from, average, this.#maskToAverage) ??
      this.#scan(bytes, Math.max(from, average + 1), end, this.#maskAfter);
    if (cut !== undefined) return cut;
    if (end - start === this.#max) return end;
    return isLast && limit > start ? limit : undefined;
  }

  /** The first position from `from` to `to` (both included) where a chunk may end. */
  #scan(bytes: Uint8Array, from: number, to: number, mask: number): number | undefined {
    if (from > to) return undefined;
    const terms = this.#terms;
    // Doubling drops a byte from the low 8 bits after 8 steps, so 7 warm them up completely; the bits
    // above are left to overflow.
    let h3 = 0;
    let i = from - rollingWindow;
    for (; i < from - 1; i++) h3 = ((h3 << 1) + (terms[bytes[i] as number] as number)) | 0;
    // Four bytes a turn: a fifth faster than one.
    for (; i + 4 <= to; i += 4) {
      const h0 = ((h3 << 1) + (terms[bytes[i] as number] as number)) | 0;
      const h1 = ((h0 << 1) + (terms[bytes[i + 1] as number] as number)) | 0;
      const h2 = ((h1 << 1) + (terms[bytes[i + 2] as number] as number)) | 0;
      h3 = ((h2 << 1) + (terms[bytes[i + 3] as number] as number)) | 0;
      if ((h0 & 255) === hashAtCut && this.#isCut(bytes, i + 1, mask)) return i + 1;
      if ((h1 & 255) === hashAtCut && this.#isCut(bytes, i + 2, mask)) return i + 2;
      if ((h2 & 255) === hashAtCut && this.#isCut(bytes, i + 3, mask)) return i + 3;
      if ((h3 & 255) === hashAtCut && this.#isCut(bytes, i + 4, mask)) return i + 4;
    }
    for (; i < to; i++) {
      h3 = ((h3 << 1) + (terms[bytes[i] as number] as number)) | 0;
      if ((h3 & 255) === hashAtCut && this.#isCut(bytes, i + 1, mask)) return i + 1;
    }
    return undefined;
  }

  #isCut(bytes: Uint8Array, position: number, mask: number): boolean {
    let earlier = 0;
    // Four terms decide four bits.
    for (let i = position - rollingWindow - 4; i < position - rollingWindow; i++) {
      earlier = 2 * earlier + (this.#terms[bytes[i] as number] as number);
    }
    if ((earlier & 15) !== earlierNibble) return false;
    const window = { start: position - sipWindow, end: position };
    return (halfSipHash(bytes, window, this.#sipKey) & mask) === 0;
  }
}

function checkRule({ min, average, max, cutKey }: CutRule): void {
  assert([min, average, max].every(Number.isInteger), 'chunk sizes are whole numbers');
  assert(min >= 64, 'a chunk covers the window of its hashes');
  assert(average >= 16384 && average === 2 ** Math.log2(average), 'an average is a power of two');
  assert(min <= average && average <= max, 'chunk sizes are ordered');
  assert(max <= 2 ** 30, 'positions in a chunk fit 32-bit arithmetic');
  assert(cutKey.length === cutKeySize, 'a cut key is 40 bytes');
}

function termsOf(cutKey: Uint8Array): Uint8Array {
  return Uint8Array.from(
    { length: 256 },
    (_, byte) => (cutKey[byte & 15] as number) ^ (cutKey[16 + (byte >> 4)] as number),
  );
}

function topBits(count: number): number {
  // A shift by 32 would be a shift by 0.
  return count === 0 ? 0 : -1 << (32 - count);
}
