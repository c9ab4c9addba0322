import { hkdfSync } from 'node:crypto';

const noSalt = new Uint8Array(0);

/**
 * A key of `size` bytes (at most 8160) for one use of a secret: HKDF-SHA256 (RFC 5869), no salt.
 * The secret must itself be random; `info` names the use and must differ between uses.
 */
export function deriveKey(secret: Uint8Array, info: string, size = 32): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, noSalt, info, size));
}
