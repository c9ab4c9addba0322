import { describe, expect, test } from 'vitest';
import { toHex } from '../../../../src/base/bytes.ts';
import { openAead, sealAead } from '../../../../src/core/crypto/aead.ts';
import { byteStream, bytesOf } from '../../../support/byte-stream.ts';

const binding = {
  key: byteStream('key', 32),
  nonce: byteStream('nonce', 12),
  additional: byteStream('additional', 20),
};

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
}

describe('sealAead', () => {
  // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 16.
  test('is AES-256-GCM with the tag at the end', () => {
    const sealed = sealAead({
      key: bytesOf('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
      nonce: bytesOf('cafebabefacedbaddecaf888'),
      additional: bytesOf('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
      plain: bytesOf(
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      ),
    });
    expect(toHex(sealed)).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    );
  });

  test('gives arrays with memory of their own', () => {
    const sealed = sealAead({ ...binding, plain: byteStream('plain', 10) });
    const opened = openAead({ ...binding, sealed });
    for (const bytes of [sealed, opened]) {
      expect(bytes?.constructor).toBe(Uint8Array);
      expect(bytes?.buffer.byteLength).toBe(bytes?.length);
    }
  });
});

describe('openAead', () => {
  const plain = byteStream('plain', 100);
  const sealed = sealAead({ ...binding, plain });

  test.each([0, 1, 15, 16, 17, 70_000])('gives back %i bytes', (size) => {
    const bytes = byteStream('plain', size);
    expect(openAead({ ...binding, sealed: sealAead({ ...binding, plain: bytes }) })).toEqual(bytes);
  });

  test.each([
    ['the ciphertext', { sealed: flipped(sealed, 0) }],
    ['the tag', { sealed: flipped(sealed, sealed.length - 1) }],
    ['the key', { key: flipped(binding.key, 3) }],
    ['the nonce', { nonce: flipped(binding.nonce, 11) }],
    ['the additional data', { additional: flipped(binding.additional, 0) }],
    ['the length', { sealed: sealed.subarray(0, -1) }],
    ['nearly everything', { sealed: sealed.subarray(0, 15) }],
  ])('gives nothing when %s changed', (_, change) => {
    expect(openAead({ ...binding, sealed, ...change })).toBeUndefined();
  });
});
