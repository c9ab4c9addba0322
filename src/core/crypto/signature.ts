import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as opensslSign,
  verify as opensslVerify,
} from 'node:crypto';
import * as ed25519 from '@noble/ed25519';
import { assert } from '../../base/assert.ts';
import { concat, equal, toHex } from '../../base/bytes.ts';
import { RecentMap } from '../../base/recent-map.ts';
import { hash } from './hash.ts';

// The library leaves SHA-512 to its caller, so that it can stay small.
ed25519.hashes.sha512 = (message) => new Uint8Array(createHash('sha512').update(message).digest());

/** The Ed25519 public key (32 bytes) of a secret key (RFC 8032 seed, 32 bytes). */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  return ownKey(secret).publicKey.slice();
}

/**
 * Signs a message with a secret key of 32 bytes. Ed25519 is deterministic: OpenSSL signs ten times faster than
 * the reference, with the same bytes. @returns the signature, 64 bytes.
 */
export function sign(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(opensslSign(null, message, ownKey(secret).key));
}

/** Both in plain TypeScript. */
export function signByReference(
  secret: Uint8Array,
  message: Uint8Array,
): { readonly publicKey: Uint8Array; readonly signature: Uint8Array } {
  const publicKey = ed25519.getPublicKey(secret);
  return { publicKey, signature: ed25519.sign(message, secret) };
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
  // Lengths are fixed but for the last part: two different questions never have one name.
  const name = toHex(hash('leaf', publicKey, signature, message));
  const known = verified.get(name);
  if (known === true || wrong.get(name) === true) return known === true;
  const key = nativeKey(publicKey);
  const isQuick =
    key !== undefined &&
    opensslVerify(null, message, key, signature) &&
    !smallOrderPoints().has(toHex(signature.subarray(0, 32)));
  const holds = isQuick || verifyByReference(publicKey, message, signature);
  (holds ? verified : wrong).set(name, true);
  return holds;
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
  const name = toHex(publicKey);
  if (accepted.get(name)) return true;
  const point = decodePoint(publicKey);
  const isAcceptable = point !== undefined && !point.isSmallOrder() && point.isTorsionFree();
  if (isAcceptable) accepted.set(name, true);
  return isAcceptable;
}

/**
 * Signatures that hold. One envelope is opened where it arrives, where it is applied, in a certificate, and in
 * every image that carries it. Only what holds is kept: nobody can fill it without signing.
 */
const verified = new RecentMap<true>(4096);
/** Those that do not cost twenty times as much to judge; apart, since anybody can make them up. */
const wrong = new RecentMap<true>(256);
/** Judging a key costs as much as checking a signature, and members sign over and over. */
const accepted = new RecentMap<true>(4096);

type OwnKey = {
  readonly seed: Uint8Array;
  readonly key: KeyObject;
  readonly publicKey: Uint8Array;
};

/** For as long as the caller holds the secret, and no longer. */
const ownKeys = new WeakMap<Uint8Array, OwnKey>();
/** PKCS #8 before the seed of an Ed25519 key (RFC 8410, section 7). */
const pkcs8Head = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'));

function ownKey(secret: Uint8Array): OwnKey {
  assert(secret.length === 32, 'an Ed25519 secret is 32 bytes');
  const known = ownKeys.get(secret);
  // Whoever owns the array may write another secret into it.
  if (known !== undefined && equal(known.seed, secret)) return known;
  const der = Buffer.from(concat([pkcs8Head, secret]));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const own = { seed: secret.slice(), key, publicKey: new Uint8Array(spki.subarray(-32)) };
  ownKeys.set(secret, own);
  return own;
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
