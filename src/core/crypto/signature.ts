import { createHash } from 'node:crypto';
import * as ed25519 from '@noble/ed25519';

// The library leaves SHA-512 to its caller, so that it can stay small.
ed25519.hashes.sha512 = (message) => new Uint8Array(createHash('sha512').update(message).digest());

/** The Ed25519 public key (32 bytes) of a secret key (RFC 8032 seed, 32 bytes). */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secret);
}

/** Signs a message with a secret key of 32 bytes. @returns the signature, 64 bytes. */
export function sign(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, secret);
}

/**
 * Whether the signature holds: RFC 8032, strict, so that every peer decides alike. Small-order and
 * non-canonical points are refused in the key and in the signature. Never throws.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const commitment = decodePoint(signature.subarray(0, 32));
  if (commitment === undefined || commitment.isSmallOrder()) return false;
  return ed25519.verify(signature, message, publicKey, { zip215: false });
}

/**
 * Whether a key may become a member's: 32 bytes, canonical, on the curve and in the prime-order group.
 * Other keys would let one signature pass for several keys or messages.
 */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const point = decodePoint(publicKey);
  return point !== undefined && !point.isSmallOrder() && point.isTorsionFree();
}

function decodePoint(bytes: Uint8Array): ed25519.Point | undefined {
  try {
    return ed25519.Point.fromBytes(bytes, false);
  } catch {
    // The library's way to say "not a point".
    return undefined;
  }
}
