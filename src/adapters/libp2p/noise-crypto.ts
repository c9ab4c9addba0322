import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import { Uint8ArrayList } from 'uint8arraylist';

/** Below this the library's WebAssembly is faster than a call into OpenSSL. */
const nativeSizeMin = 1200;
const tagSize = 16;
const algorithm = 'chacha20-poly1305';
const options = { authTagLength: tagSize };

/** Of each direction of a connection: OpenSSL takes a key that it knows four times as fast as 32 bytes. */
const keys = new WeakMap<Uint8Array, KeyObject>();

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes);
  if (known !== undefined) return known;
  const key = createSecretKey(bytes);
  keys.set(bytes, key);
  return key;
}

/**
 * What Noise encrypts with: the library's own, but that keys are made once, and what was encrypted is not copied
 * once more to stand beside its tag.
 */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,

  chaCha20Poly1305Encrypt(plaintext, nonce, ad, k) {
    if (plaintext.byteLength < nativeSizeMin) {
      return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, k);
    }
    const cipher = createCipheriv(algorithm, keyOf(k), nonce, options);
    cipher.setAAD(ad, { plaintextLength: plaintext.byteLength });
    const sealed = new Uint8ArrayList();
    for (const part of partsOf(plaintext)) sealed.append(cipher.update(part));
    cipher.final();
    sealed.append(cipher.getAuthTag());
    return sealed;
  },

  /** @throws Error when it is not what the other end has encrypted */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst) {
    if (ciphertext.byteLength < nativeSizeMin) {
      return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, k, dst);
    }
    const size = ciphertext.byteLength - tagSize;
    const decipher = createDecipheriv(algorithm, keyOf(k), nonce, options);
    decipher.setAAD(ad, { plaintextLength: size });
    decipher.setAuthTag(ciphertext.subarray(size));
    const text =
      ciphertext instanceof Uint8Array ? ciphertext.subarray(0, size) : ciphertext.sublist(0, size);
    const opened = new Uint8ArrayList();
    for (const part of partsOf(text)) opened.append(decipher.update(part));
    decipher.final();
    return opened;
  },
};

function partsOf(bytes: Uint8Array | Uint8ArrayList): Iterable<Uint8Array> {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}
