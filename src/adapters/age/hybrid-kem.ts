import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { concat, utf8 } from '../../base/bytes.ts';

// X-Wing, the key encapsulation of ML-KEM-768 and X25519 together (draft-connolly-cfrg-xwing-kem), with OpenSSL's
// code for both: in JavaScript a key takes a hundred times as long.

export const hybridSeedSize = 32;
export const hybridPublicKeySize = 1216;
export const hybridCiphertextSize = 1120;

const mlkemPublicSize = 1184;
const mlkemCiphertextSize = 1088;
/** A drawing of an X-wing, as the draft has it. */
const label = utf8('\\.//^\\');

// DER before the raw keys: draft-ietf-lamps-kyber-certificates (ML-KEM, the seed alone) and RFC 8410 (X25519).
const mlkemPrivateHead = Buffer.from('3054020100300b060960864801650304040204428040', 'hex');
const mlkemPublicHead = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');
const x25519PrivateHead = Buffer.from('302e020100300506032b656e04220420', 'hex');
const x25519PublicHead = Buffer.from('302a300506032b656e032100', 'hex');

export type HybridKey = { readonly mlkem: KeyObject; readonly x25519: KeyObject };

/** False with a Node.js older than 24.7, or with another OpenSSL than its own. */
export function hasHybridKem(): boolean {
  known ??= tried();
  return known;
}

let known: boolean | undefined;

function tried(): boolean {
  try {
    const key = hybridKey(new Uint8Array(hybridSeedSize));
    const { ciphertext, shared } = hybridEncapsulate(publicOf(key));
    return Buffer.compare(hybridDecapsulate(key, ciphertext), shared) === 0;
  } catch {
    return false;
  }
}

/** @param seed 32 bytes */
export function hybridKey(seed: Uint8Array): HybridKey {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const mlkem = privateKey(mlkemPrivateHead, expanded.subarray(0, 64));
  const x25519 = privateKey(x25519PrivateHead, expanded.subarray(64));
  expanded.fill(0);
  return { mlkem, x25519 };
}

/** 1216 bytes. */
export function publicOf({ mlkem, x25519 }: HybridKey): Uint8Array {
  return concat([rawPublic(mlkem, mlkemPublicSize), rawPublic(x25519, 32)]);
}

/** @param publicKey 1216 bytes. @returns a ciphertext of 1120 bytes, and the secret of 32 that its owner finds in it */
export function hybridEncapsulate(publicKey: Uint8Array): {
  ciphertext: Uint8Array;
  shared: Uint8Array;
} {
  const mlkem = publicFrom(mlkemPublicHead, publicKey.subarray(0, mlkemPublicSize));
  const x25519Public = publicKey.subarray(mlkemPublicSize);
  const first = encapsulate(mlkem);
  const own = generateKeyPairSync('x25519');
  const ciphertext = concat([first.ciphertext, rawPublic(own.privateKey, 32)]);
  const second = diffieHellman({
    privateKey: own.privateKey,
    publicKey: publicFrom(x25519PublicHead, x25519Public),
  });
  return { ciphertext, shared: combined([first.sharedKey, second], ciphertext, x25519Public) };
}

/** @param ciphertext 1120 bytes. @returns 32 bytes; others than were meant when the ciphertext is not for this key */
export function hybridDecapsulate(key: HybridKey, ciphertext: Uint8Array): Uint8Array {
  const first = decapsulate(key.mlkem, ciphertext.subarray(0, mlkemCiphertextSize));
  const second = diffieHellman({
    privateKey: key.x25519,
    publicKey: publicFrom(x25519PublicHead, ciphertext.subarray(mlkemCiphertextSize)),
  });
  return combined([first, second], ciphertext, rawPublic(key.x25519, 32));
}

function combined(
  [first, second]: readonly [Buffer, Buffer],
  ciphertext: Uint8Array,
  x25519Public: Uint8Array,
): Uint8Array {
  const parts = [first, second, ciphertext.subarray(mlkemCiphertextSize), x25519Public, label];
  const hash = createHash('sha3-256');
  for (const part of parts) hash.update(part);
  for (const secret of [first, second]) secret.fill(0);
  return new Uint8Array(hash.digest());
}

function privateKey(head: Uint8Array, raw: Uint8Array): KeyObject {
  const der = Buffer.from(concat([head, raw]));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

function publicFrom(head: Uint8Array, raw: Uint8Array): KeyObject {
  const der = Buffer.from(concat([head, raw]));
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

function rawPublic(key: KeyObject, size: number): Uint8Array {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-size);
}
