import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { assert } from '../../base/assert.ts';
import { fromHex } from '../../base/bytes.ts';

/** What a hash is for: equal bytes hashed for two purposes give unrelated hashes. */
export type HashPurpose =
  | 'leaf'
  | 'node'
  | 'pack'
  | 'statement'
  | 'fact'
  | 'genesis'
  | 'path'
  | 'plan'
  | 'control-state'
  | 'control-image'
  | 'recipient'
  | 'share'
  | 'split'
  | 'lock';

/** Bytes of every hash, and of every key of a keyed hash. */
export const hashSize = 32;

/**
 * `H_p` of the parts one after another, as in "Hashes" of proto/README.md.
 * @returns 32 bytes, a fresh array.
 */
export function hash(purpose: HashPurpose, ...parts: Uint8Array[]): Uint8Array {
  const hasher = hashers[purpose];
  for (const part of parts) hasher.absorb(part);
  return hasher.finish();
}

/** BLAKE3 under a secret key: chunk ids, which tell nobody without the key what a chunk holds. */
export class KeyedHasher {
  readonly #hasher: ReusedHasher;

  /** @param key 32 bytes; copied. */
  constructor(key: Uint8Array) {
    this.#hasher = new ReusedHasher(key);
  }

  /** @returns 32 bytes, a fresh array. */
  hash(bytes: Uint8Array): Uint8Array {
    this.#hasher.absorb(bytes);
    return this.#hasher.finish();
  }
}

/** Setting a key costs several times a small hash; `reset` keeps the key. */
class ReusedHasher {
  readonly #native: Blake3Hasher;

  constructor(key: Uint8Array) {
    assert(key.length === hashSize, 'a BLAKE3 key is 32 bytes');
    this.#native = Blake3Hasher.newKeyed(Buffer.from(key));
  }

  absorb(bytes: Uint8Array): void {
    this.#native.update(bytes);
  }

  finish(): Uint8Array {
    // As text: a buffer of native code costs two to five times as much to make, and the collector each time.
    const digest = fromHex(this.#native.digest('hex'));
    this.#native.reset();
    assert(digest !== undefined, 'a digest is hexadecimal text');
    return digest;
  }
}

function purposeHasher(purpose: HashPurpose): ReusedHasher {
  return new ReusedHasher(blake3(`holdfast 1 ${purpose}`));
}

const hashers: Readonly<Record<HashPurpose, ReusedHasher>> = {
  leaf: purposeHasher('leaf'),
  node: purposeHasher('node'),
  pack: purposeHasher('pack'),
  statement: purposeHasher('statement'),
  fact: purposeHasher('fact'),
  genesis: purposeHasher('genesis'),
  path: purposeHasher('path'),
  plan: purposeHasher('plan'),
  'control-state': purposeHasher('control-state'),
  'control-image': purposeHasher('control-image'),
  recipient: purposeHasher('recipient'),
  share: purposeHasher('share'),
  split: purposeHasher('split'),
  lock: purposeHasher('lock'),
};
