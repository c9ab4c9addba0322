import { createHash } from 'node:crypto';
import { Point, utils } from '@noble/ed25519';
import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../../../../src/base/bytes.ts';
import {
  isAcceptableKey,
  publicKeyOf,
  sign,
  signByReference,
  verify,
  verifyByReference,
} from '../../../../src/core/crypto/signature.ts';
import { byteStream, bytesOf } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/signature.json' with { type: 'json' };

function numberOf(littleEndian: Uint8Array): bigint {
  return littleEndian.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function bytesOfNumber(number: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(8 * i)) & 255n));
}

describe('verify', () => {
  test('knows no signature by half of it: each part counts each time', () => {
    const secret = byteStream('secret', 32);
    const publicKey = publicKeyOf(secret);
    const message = utf8('message');
    const signature = sign(secret, message);
    expect(verify(publicKey, message, signature)).toBe(true);
    expect(verify(publicKey, message, signature)).toBe(true);
    const other = publicKeyOf(byteStream('other', 32));
    expect(verify(other, message, signature)).toBe(false);
    expect(verify(publicKey, utf8('massage'), signature)).toBe(false);
    expect(verify(publicKey, message, signature.with(40, (signature[40] ?? 0) ^ 1))).toBe(false);
  });

  test.each(vectors.signatures)('$outcome: $name', ({ publicKey, message, signature, outcome }) => {
    const holds = verify(bytesOf(publicKey), bytesOf(message), bytesOf(signature));
    expect(holds ? 'ok' : 'bad-signature').toBe(outcome);
  });

  test.each(vectors.signatures)(
    'decides as the reference does: $name',
    ({ publicKey, message, signature }) => {
      const parts = [bytesOf(publicKey), bytesOf(message), bytesOf(signature)] as const;
      expect(verify(...parts)).toBe(verifyByReference(...parts));
    },
  );

  test('decides as the reference does where the two equations differ', () => {
    // A commitment with a part of small order: the equation with the cofactor does not see it.
    const torsion = Point.fromHex(
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    );
    const secret = byteStream('secret', 32);
    const publicKey = publicKeyOf(secret);
    const message = utf8('message');
    const { scalar } = utils.getExtendedPublicKey(secret);
    const nonce = 12_345n;
    for (let order = 0; order < 8; order++) {
      let commitment = Point.BASE.multiply(nonce);
      for (let i = 0; i < order; i++) commitment = commitment.add(torsion);
      const encoded = commitment.toBytes();
      const digest = createHash('sha512')
        .update(encoded)
        .update(publicKey)
        .update(message)
        .digest();
      const s = (nonce + numberOf(digest) * scalar) % Point.CURVE().n;
      const signature = concat([encoded, bytesOfNumber(s)]);
      expect(verifyByReference(publicKey, message, signature), `order ${order}`).toBe(true);
      expect(verify(publicKey, message, signature), `order ${order}`).toBe(true);
    }
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

describe('signing natively', () => {
  test('says the same bytes as the reference, for the same key', () => {
    for (let i = 0; i < 8; i++) {
      const secret = byteStream(`secret ${i}`, 32);
      const message = byteStream(`message ${i}`, i * 40);
      const reference = signByReference(secret, message);
      expect(sign(secret, message)).toEqual(reference.signature);
      expect(publicKeyOf(secret)).toEqual(reference.publicKey);
    }
  });

  test('signs with what the array holds now', () => {
    const secret = byteStream('first', 32);
    const before = publicKeyOf(secret);
    secret.set(byteStream('second', 32));
    const message = utf8('message');
    expect(publicKeyOf(secret)).not.toEqual(before);
    expect(sign(secret, message)).toEqual(signByReference(secret, message).signature);
  });

  test('refuses a secret of another length', () => {
    expect(() => sign(byteStream('short', 31), utf8('message'))).toThrow('32 bytes');
  });
});

describe('isAcceptableKey', () => {
  test.each(vectors.keys)('$isAcceptable for $name', ({ key, isAcceptable }) => {
    expect(isAcceptableKey(bytesOf(key))).toBe(isAcceptable);
  });
});
