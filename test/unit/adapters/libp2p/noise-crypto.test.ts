import { createHash, randomBytes } from 'node:crypto';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import { Uint8ArrayList } from 'uint8arraylist';
import { describe, expect, test } from 'vitest';
import { noiseCrypto } from '../../../../src/adapters/libp2p/noise-crypto.ts';

const sizes = [0, 1, 1199, 1200, 1201, 65_519];
const nonce = Uint8Array.from({ length: 12 }, (_, i) => i);
const ad = new Uint8Array(0);

/** Its bytes in three pieces, as they come from a socket. */
function inPieces(bytes: Uint8Array): Uint8ArrayList {
  const cut = [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2)];
  return new Uint8ArrayList(
    bytes.subarray(0, cut[0]),
    bytes.subarray(cut[0], cut[1]),
    bytes.subarray(cut[1]),
  );
}

describe('what Noise encrypts with', () => {
  test.each(sizes)('gives the bytes that the library gives, of %i bytes', (size) => {
    const key = Uint8Array.from(randomBytes(32));
    const text = Uint8Array.from(randomBytes(size));
    const expected = defaultCrypto.chaCha20Poly1305Encrypt(text, nonce, ad, key).subarray();
    for (const given of [text, inPieces(text)]) {
      for (let again = 0; again < 2; again++) {
        const sealed = noiseCrypto.chaCha20Poly1305Encrypt(given, nonce, ad, key).subarray();
        expect(createHash('sha256').update(sealed).digest('hex')).toBe(
          createHash('sha256').update(expected).digest('hex'),
        );
      }
    }
  });

  test.each(sizes)(
    'opens what was sealed, whole or in pieces, and nothing else, of %i bytes',
    (size) => {
      const key = Uint8Array.from(randomBytes(32));
      const text = Uint8Array.from(randomBytes(size));
      const sealed = defaultCrypto.chaCha20Poly1305Encrypt(text, nonce, ad, key).subarray();
      for (const given of [sealed, inPieces(sealed)]) {
        const opened = noiseCrypto.chaCha20Poly1305Decrypt(given, nonce, ad, key).subarray();
        expect(Buffer.compare(opened, text)).toBe(0);
      }
      for (const at of [0, sealed.length - 17, sealed.length - 1].filter((place) => place >= 0)) {
        const bent = sealed.slice();
        bent[at] = (bent[at] as number) ^ 1;
        for (const given of [bent, inPieces(bent)]) {
          expect(() => noiseCrypto.chaCha20Poly1305Decrypt(given, nonce, ad, key)).toThrow();
        }
      }
      const other = Uint8Array.from(randomBytes(32));
      expect(() => noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, ad, other)).toThrow();
      const later = nonce.map((byte) => byte + 1);
      expect(() => noiseCrypto.chaCha20Poly1305Decrypt(sealed, later, ad, key)).toThrow();
    },
  );
});
