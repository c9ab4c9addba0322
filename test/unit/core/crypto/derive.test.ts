import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import { deriveKey } from '../../../../src/core/crypto/derive.ts';
import { byteStream } from '../../../support/byte-stream.ts';

test('a derived key is HKDF-SHA256 without salt (RFC 5869, appendix A.3)', () => {
  expect(toHex(deriveKey(new Uint8Array(22).fill(0x0b), '', 42))).toBe(
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
});

test('a derived key is the same in another implementation', () => {
  const secret = byteStream('secret', 32);
  const expected = hkdf(sha256, secret, undefined, utf8('a use'), 32);
  expect(deriveKey(secret, 'a use')).toEqual(expected);
});

test('different uses of a secret get unrelated keys', () => {
  const secret = byteStream('secret', 32);
  expect(deriveKey(secret, 'one')).not.toEqual(deriveKey(secret, 'other'));
});
