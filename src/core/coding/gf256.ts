import { assert } from '../../base/assert.ts';

/** x^8 + x^4 + x^3 + x^2 + 1: primitive, so that 2 generates every non-zero element. */
const polynomial = 0x11d;

const logarithms = new Uint8Array(256);
/** Twice the cycle, so that sums of two logarithms need no reduction. */
const powers = new Uint8Array(510);

for (let exponent = 0, element = 1; exponent < 255; exponent++) {
  powers[exponent] = element;
  powers[exponent + 255] = element;
  logarithms[element] = exponent;
  element <<= 1;
  if (element > 255) element ^= polynomial;
}

/** Product of two elements (0 to 255) of GF(2^8); the sum is their exclusive or. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powers[(logarithms[a] as number) + (logarithms[b] as number)] as number;
}

/** The element whose product with `a` is 1; `a` is 1 to 255. */
export function invert(a: number): number {
  assert(a > 0 && a < 256, 'zero has no inverse');
  return powers[255 - (logarithms[a] as number)] as number;
}

/**
 * Adds `factor` times `source` to `target`, byte by byte. Equal lengths; four bytes at a time when both
 * begin at a multiple of 4 of their memory.
 */
export function addMultiple(target: Uint8Array, source: Uint8Array, factor: number): void {
  assert(target.length === source.length, 'arrays of equal length');
  if (factor === 0) return;
  const isAligned = (target.byteOffset | source.byteOffset) % 4 === 0;
  const wordCount = isAligned ? target.length >>> 2 : 0;
  if (wordCount > 0) {
    const targetWords = new Uint32Array(target.buffer, target.byteOffset, wordCount);
    const sourceWords = new Uint32Array(source.buffer, source.byteOffset, wordCount);
    if (factor === 1) addWords(targetWords, sourceWords);
    else addWordMultiples(targetWords, sourceWords, wordTables(factor));
  }
  for (let i = wordCount * 4; i < target.length; i++) {
    target[i] = (target[i] as number) ^ multiply(source[i] as number, factor);
  }
}

function addWords(target: Uint32Array, source: Uint32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (source[i] as number);
}

function addWordMultiples(target: Uint32Array, source: Uint32Array, tables: Uint32Array): void {
  for (let i = 0; i < target.length; i++) {
    const word = source[i] as number;
    target[i] =
      (target[i] as number) ^
      (tables[word & 255] as number) ^
      (tables[256 + ((word >>> 8) & 255)] as number) ^
      (tables[512 + ((word >>> 16) & 255)] as number) ^
      (tables[768 + (word >>> 24)] as number);
  }
}

const wordTableCache: (Uint32Array | undefined)[] = [];

/** For each of the four byte positions of a word, the products of the 256 byte values, in that position. */
function wordTables(factor: number): Uint32Array {
  const cached = wordTableCache[factor];
  if (cached !== undefined) return cached;
  const tables = new Uint32Array(1024);
  for (let value = 0; value < 256; value++) {
    const product = multiply(value, factor);
    for (let position = 0; position < 4; position++) {
      tables[256 * position + value] = product << (8 * position);
    }
  }
  wordTableCache[factor] = tables;
  return tables;
}
