import { assert } from '../../base/assert.ts';
import { type CutScan, kernelScan, plainScan } from './cut-scan.ts';
import { kernel } from './kernels/kernel.ts';

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

const firstStageBits = 12;
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
  readonly #scan: CutScan;
  readonly #maskToAverage: number;
  readonly #maskAfter: number;

  /** @param scan in place of the fastest one. */
  constructor(rule: CutRule, scan: CutScan = scanOf(rule.cutKey)) {
    checkRule(rule);
    this.#scan = scan;
    this.#min = rule.min;
    this.#average = rule.average;
    this.#max = rule.max;
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
      this.#scan(bytes, { from, to: average }, this.#maskToAverage) ??
      this.#scan(bytes, { from: Math.max(from, average + 1), to: end }, this.#maskAfter);
    if (cut !== undefined) return cut;
    if (end - start === this.#max) return end;
    return isLast && limit > start ? limit : undefined;
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

function scanOf(cutKey: Uint8Array): CutScan {
  assert(cutKey.length === cutKeySize, 'a cut key is 40 bytes');
  const fast = kernel();
  return fast === undefined ? plainScan(cutKey) : kernelScan(cutKey, fast);
}

function topBits(count: number): number {
  // A shift by 32 would be a shift by 0.
  return count === 0 ? 0 : -1 << (32 - count);
}
