import { expect, test } from 'vitest';
import { addMultiple, invert, multiply } from '../../../../src/core/coding/gf256.ts';
import { byteStream } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/reed-solomon.json' with { type: 'json' };

/** Shift and add, straight from the definition of the field. */
function multiplySlowly(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1;
    if (product & 0x100) product ^= 0x11d;
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

test.each(vectors.products)('%i times %i is %i', (a, b, product) => {
  expect(multiply(a as number, b as number)).toBe(product);
});

test('all products are those of the polynomial 0x11d', () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      if (multiply(a, b) !== multiplySlowly(a, b)) expect.fail(`${a} times ${b}`);
    }
  }
});

test('every element but zero has an inverse', () => {
  for (let a = 1; a < 256; a++) expect(multiply(a, invert(a))).toBe(1);
  expect(() => invert(0)).toThrow('zero has no inverse');
});

test.each([
  [0, 0],
  [4, 0],
  [1, 0],
  [0, 3],
  [2, 2],
])('a multiple is added alike at offsets %i and %i', (targetOffset, sourceOffset) => {
  for (const size of [0, 1, 3, 4, 7, 64, 101]) {
    const target = byteStream('target', 120).subarray(targetOffset, targetOffset + size);
    const source = byteStream('source', 120).subarray(sourceOffset, sourceOffset + size);
    for (const factor of [0, 1, 2, 0x8e, 255]) {
      const expected = target.map((byte, i) => byte ^ multiplySlowly(source[i] as number, factor));
      addMultiple(target, source, factor);
      expect(target).toEqual(expected);
    }
  }
});

test('a multiple is added to nothing beside the target', () => {
  const bytes = new Uint8Array(32);
  addMultiple(bytes.subarray(8, 19), byteStream('source', 11), 7);
  expect(bytes.subarray(0, 8)).toEqual(new Uint8Array(8));
  expect(bytes.subarray(19)).toEqual(new Uint8Array(13));
});
