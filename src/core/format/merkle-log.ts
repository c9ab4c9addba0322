import { createHash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { equal } from '../../base/bytes.ts';

// The Merkle tree of a log as RFC 6962, section 2.1, and C2SP's tlog specifications want it: SHA-256, leaves
// and nodes kept apart by their first byte. Numbers of entries are whole and at most 2^53 - 1. All hashes are
// 32 bytes. A tree that is not full splits at the largest power of two below its size.

/** The leaf hash of an entry, by its index from 0. */
export type LeafReader = (index: number) => Uint8Array;

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);
const hashSize = 32;

/** Hash of an entry as a leaf: SHA-256(0x00 ‖ entry). */
export function leafHashOf(entry: Uint8Array): Uint8Array {
  return sha256(leafPrefix, entry);
}

/** Hash of a node over two others: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHashOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(nodePrefix, left, right);
}

/** The root of a log without entries: SHA-256 of nothing. */
export function emptyLogRoot(): Uint8Array {
  return sha256();
}

/** The root over the first `size` leaves, each of which is read once. */
export function logRoot(size: number, leafAt: LeafReader): Uint8Array {
  checkSize(size);
  return size === 0 ? emptyLogRoot() : rangeHash({ from: 0, to: size }, leafAt);
}

/**
 * Proof that the leaf at `index` is in the tree of the first `size` leaves: the hashes of its siblings from
 * the leaf up (RFC 6962, 2.1.1). `index` is below `size`.
 */
export function inclusionProof(index: number, size: number, leafAt: LeafReader): Uint8Array[] {
  checkSize(size);
  assert(Number.isSafeInteger(index) && index >= 0 && index < size, 'a leaf is in its tree');
  const proof: Uint8Array[] = [];
  let range: Range = { from: 0, to: size };
  while (range.to - range.from > 1) {
    const [left, right] = halves(range);
    const isLeft = index < left.to;
    proof.push(rangeHash(isLeft ? right : left, leafAt));
    range = isLeft ? left : right;
  }
  return proof.reverse();
}

/**
 * Proof that the tree of the first `size` leaves begins with the tree of the first `oldSize` (RFC 6962,
 * 2.1.2). `oldSize` is from 0 to `size`; the proof is empty at both ends.
 */
export function consistencyProof(oldSize: number, size: number, leafAt: LeafReader): Uint8Array[] {
  checkSize(size);
  assert(
    Number.isSafeInteger(oldSize) && oldSize >= 0 && oldSize <= size,
    'an old tree is smaller',
  );
  if (oldSize === 0 || oldSize === size) return [];
  const proof: Uint8Array[] = [];
  let range: Range = { from: 0, to: size };
  // The verifier knows the old root: it is left out while the old tree is a left subtree of the new one.
  while (range.to !== oldSize) {
    const [left, right] = halves(range);
    const isInLeft = oldSize <= left.to;
    proof.push(rangeHash(isInLeft ? right : left, leafAt));
    range = isInLeft ? left : right;
  }
  if (range.from > 0) proof.push(rangeHash(range, leafAt));
  return proof.reverse();
}

/** Whether the proof shows the leaf in the tree with this root. Never throws. */
export function verifyInclusion(claim: {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}): boolean {
  const { index, size, leafHash, root, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (![leafHash, root, ...proof].every(isHash)) return false;
  // RFC 9162, 2.1.3.2: the position of a node, and of the last node of its level.
  let [at, last, hash] = [index, size - 1, leafHash];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHashOf(sibling, hash);
      // Levels at which the last node has no sibling are passed over.
      while (!isOdd(at) && at > 0) [at, last] = [parentOf(at), parentOf(last)];
    } else hash = nodeHashOf(hash, sibling);
    [at, last] = [parentOf(at), parentOf(last)];
  }
  return last === 0 && equal(hash, root);
}

/**
 * Whether the proof shows that the log with the new root began as the log with the old one. Of an empty
 * old log nothing has to be shown but its root. Never throws.
 */
export function verifyConsistency(claim: {
  readonly oldSize: number;
  readonly size: number;
  readonly oldRoot: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}): boolean {
  const { oldSize, size, oldRoot, root, proof } = claim;
  if (!isSize(oldSize) || !isSize(size) || oldSize > size) return false;
  if (![oldRoot, root, ...proof].every(isHash)) return false;
  if (oldSize === size) return proof.length === 0 && equal(oldRoot, root);
  if (oldSize === 0) return proof.length === 0 && equal(oldRoot, emptyLogRoot());
  // RFC 9162, 2.1.4.2.
  let [at, last] = [oldSize - 1, size - 1];
  while (isOdd(at)) [at, last] = [parentOf(at), parentOf(last)];
  const path = at === 0 ? [oldRoot, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) return false;
  let [oldHash, hash] = [first, first];
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      oldHash = nodeHashOf(sibling, oldHash);
      hash = nodeHashOf(sibling, hash);
      while (!isOdd(at) && at > 0) [at, last] = [parentOf(at), parentOf(last)];
    } else hash = nodeHashOf(hash, sibling);
    [at, last] = [parentOf(at), parentOf(last)];
  }
  return last === 0 && equal(oldHash, oldRoot) && equal(hash, root);
}

type Range = { readonly from: number; readonly to: number };

/** Not empty. */
function rangeHash(range: Range, leafAt: LeafReader): Uint8Array {
  if (range.to - range.from === 1) {
    const leaf = leafAt(range.from);
    assert(isHash(leaf), 'a leaf hash is 32 bytes');
    return leaf;
  }
  const [left, right] = halves(range);
  return nodeHashOf(rangeHash(left, leafAt), rangeHash(right, leafAt));
}

/** Of a range with two leaves or more: the left one is as large a full tree as leaves the right one something. */
function halves({ from, to }: Range): [Range, Range] {
  let size = 1;
  while (2 * size < to - from) size *= 2;
  return [
    { from, to: from + size },
    { from: from + size, to },
  ];
}

function parentOf(position: number): number {
  return Math.floor(position / 2);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === hashSize;
}

function checkSize(size: number): void {
  assert(isSize(size), 'a log has a whole number of entries');
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hasher = createHash('sha256');
  for (const part of parts) hasher.update(part);
  return new Uint8Array(hasher.digest());
}
