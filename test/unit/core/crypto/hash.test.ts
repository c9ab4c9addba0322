import { blake3 } from '@noble/hashes/blake3.js';
import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { type HashPurpose, hash, KeyedHasher } from '../../../../src/core/crypto/hash.ts';
import { byteStream } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/merkle.json' with { type: 'json' };

describe('hash', () => {
  test.each(vectors.purposesOfAbc)('has its own key for the purpose $purpose', (vector) => {
    expect(toHex(hash(vector.purpose as HashPurpose, utf8('abc')))).toBe(vector.hash);
  });

  test('is keyed BLAKE3 of the parts one after another', () => {
    const parts = [byteStream('a', 1), byteStream('b', 0), byteStream('c', 5000)];
    const expected = blake3(concat(parts), { key: blake3(utf8('holdfast 1 pack')) });
    expect(hash('pack', ...parts)).toEqual(expected);
    expect(hash('pack', ...parts)).toEqual(expected);
  });

  test('hashes no bytes at all', () => {
    expect(hash('fact')).toEqual(hash('fact', new Uint8Array(0)));
    expect(hash('fact')).toEqual(
      blake3(new Uint8Array(0), { key: blake3(utf8('holdfast 1 fact')) }),
    );
  });

  test('gives arrays that can be handed to another thread', () => {
    const digest = hash('leaf', utf8('x'));
    expect(digest.constructor).toBe(Uint8Array);
    expect(digest.buffer.byteLength).toBe(32);
    expect(structuredClone(digest, { transfer: [digest.buffer as ArrayBuffer] })).toHaveLength(32);
  });

  test('does not change when an earlier result is overwritten', () => {
    const first = hash('leaf', utf8('x'));
    const kept = first.slice();
    first.fill(0);
    expect(hash('leaf', utf8('x'))).toEqual(kept);
  });
});

describe('KeyedHasher', () => {
  test('is BLAKE3 under its key, call after call', () => {
    const key = byteStream('key', 32);
    const hasher = new KeyedHasher(key);
    for (const size of [0, 1, 64, 1024, 3000]) {
      const bytes = byteStream('data', size);
      expect(hasher.hash(bytes)).toEqual(blake3(bytes, { key }));
    }
  });

  test('keeps its key when the array of the key changes', () => {
    const key = byteStream('key', 32);
    const hasher = new KeyedHasher(key);
    const before = hasher.hash(utf8('x'));
    key.fill(0);
    expect(hasher.hash(utf8('x'))).toEqual(before);
  });

  test('refuses a key that is not 32 bytes', () => {
    expect(() => new KeyedHasher(new Uint8Array(31))).toThrow('a BLAKE3 key is 32 bytes');
  });
});
