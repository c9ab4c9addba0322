import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import {
  isAcceptableKey,
  publicKeyOf,
  sign,
  verify,
} from '../../../../src/core/crypto/signature.ts';
import { byteStream, bytesOf } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/signature.json' with { type: 'json' };

describe('verify', () => {
  test.each(vectors.signatures)('$outcome: $name', ({ publicKey, message, signature, outcome }) => {
    const holds = verify(bytesOf(publicKey), bytesOf(message), bytesOf(signature));
    expect(holds ? 'ok' : 'bad-signature').toBe(outcome);
  });

  test('refuses a signature with any one bit changed', () => {
    const secret = byteStream('secret', 32);
    const signature = sign(secret, utf8('message'));
    for (const bit of [0, 7, 100, 255, 256, 400, 505, 511]) {
      const changed = signature.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verify(publicKeyOf(secret), utf8('message'), changed)).toBe(false);
    }
  });
});

describe('sign', () => {
  const withSecret = vectors.signatures.flatMap((vector) =>
    vector.secret === undefined ? [] : [{ ...vector, secret: vector.secret }],
  );

  test.each(withSecret)('$name', ({ secret, publicKey, message, signature }) => {
    expect(toHex(publicKeyOf(bytesOf(secret)))).toBe(publicKey);
    expect(toHex(sign(bytesOf(secret), bytesOf(message)))).toBe(signature);
  });
});

describe('isAcceptableKey', () => {
  test.each(vectors.keys)('$isAcceptable for $name', ({ key, isAcceptable }) => {
    expect(isAcceptableKey(bytesOf(key))).toBe(isAcceptable);
  });
});
