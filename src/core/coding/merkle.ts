import { assert } from '../../base/assert.ts';
import { hash, hashSize } from '../crypto/hash.ts';

/**
 * Hashes of the leaves of `leafSize` bytes that make up `bytes`; the last leaf may be short.
 * @returns 32 bytes a leaf, one after another; nothing for no bytes.
 */
export function leafHashes(bytes: Uint8Array, leafSize: number): Uint8Array {
  assert(Number.isInteger(leafSize) && leafSize > 0, 'a leaf has a size');
  const count = Math.ceil(bytes.length / leafSize);
  const leaves = new Uint8Array(count * hashSize);
  for (let leaf = 0; leaf < count; leaf++) {
    const start = leaf * leafSize;
    leaves.set(hash('leaf', bytes.subarray(start, start + leafSize)), leaf * hashSize);
  }
  return leaves;
}

/**
 * Root (32 bytes) of the tree over concatenated leaf hashes, split as in RFC 6962, section 2.1.
 * One leaf is its own root.
 */
export function merkleRoot(leaves: Uint8Array): Uint8Array {
  assert(leaves.length > 0 && leaves.length % hashSize === 0, 'leaves are whole hashes');
  const count = leaves.length / hashSize;
  if (count === 1) return leaves.slice();
  const left = 2 ** (31 - Math.clz32(count - 1)) * hashSize;
  return hash('node', merkleRoot(leaves.subarray(0, left)), merkleRoot(leaves.subarray(left)));
}
