import { createHash, createPublicKey, type KeyObject, verify as opensslVerify } from 'node:crypto';
import * as ed25519 from '@noble/ed25519';
import { toHex } from '../../base/bytes.ts';

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
 *
 * OpenSSL is asked first, which is about twenty times faster. Its equation has no cofactor, so it accepts
 * less: what it accepts for a key of the prime-order group holds here too, except for a commitment of small
 * order. Whatever it refuses is decided by the reference below.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = nativeKey(publicKey);
  const isQuick =
    key !== undefined &&
    opensslVerify(null, message, key, signature) &&
    !smallOrderPoints().has(toHex(signature.subarray(0, 32)));
  return isQuick || verifyByReference(publicKey, message, signature);
}

/** The same in plain TypeScript: what counts when the two differ. */
export function verifyByReference(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
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

/** Keys that were checked: members' keys come again and again. */
const nativeKeysMax = 1024;
const nativeKeys = new Map<string, KeyObject | undefined>();

/** For OpenSSL; undefined when the key is not of the prime-order group. */
function nativeKey(publicKey: Uint8Array): KeyObject | undefined {
  const name = toHex(publicKey);
  if (nativeKeys.has(name)) return nativeKeys.get(name);
  const x = Buffer.from(publicKey).toString('base64url');
  const key = isAcceptableKey(publicKey)
    ? createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    : undefined;
  if (nativeKeys.size >= nativeKeysMax) nativeKeys.clear();
  nativeKeys.set(name, key);
  return key;
}

let smallOrder: ReadonlySet<string> | undefined;

/** Canonical encodings of the eight points whose order divides the cofactor. */
function smallOrderPoints(): ReadonlySet<string> {
  if (smallOrder !== undefined) return smallOrder;
  // Of order 8: its multiples are the whole torsion subgroup.
  const generator = ed25519.Point.fromHex(
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  );
  let point = ed25519.Point.ZERO;
  const points = new Set<string>();
  for (let i = 0; i < 8; i++) {
    points.add(point.toHex());
    point = point.add(generator);
  }
  smallOrder = points;
  return points;
}

function decodePoint(bytes: Uint8Array): ed25519.Point | undefined {
  try {
    return ed25519.Point.fromBytes(bytes, false);
  } catch {
    // The library's way to say "not a point".
    return undefined;
  }
}
