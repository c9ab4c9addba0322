import { expect, test } from 'vitest';
import { halfSipHash } from '../../../../src/core/coding/half-sip-hash.ts';
import { bytesOf } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/half-sip-hash.json' with { type: 'json' };

const keyView = new DataView(bytesOf(vectors.key).buffer);
const key = { k0: keyView.getInt32(0, true), k1: keyView.getInt32(4, true) };

test('the 64 published vectors hold', () => {
  const message = Uint8Array.from({ length: 64 }, (_, i) => i);
  const hashes = vectors.hashes.map((_, size) =>
    halfSipHash(message, { start: 0, end: size }, key),
  );
  const expected = vectors.hashes.map((hex) =>
    new DataView(bytesOf(hex).buffer).getUint32(0, true),
  );
  expect(hashes).toEqual(expected);
});

test('only the bytes of the range count', () => {
  const message = Uint8Array.from({ length: 64 }, (_, i) => i);
  const shifted = new Uint8Array(100).fill(255);
  shifted.set(message.subarray(0, 33), 5);
  expect(halfSipHash(shifted, { start: 5, end: 38 }, key)).toBe(
    halfSipHash(message, { start: 0, end: 33 }, key),
  );
});
