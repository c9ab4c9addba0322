import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../../../src/base/bytes.ts';
import {
  consistencyProof,
  emptyLogRoot,
  inclusionProof,
  leafHashOf,
  logRoot,
  nodeHashOf,
  verifyConsistency,
  verifyInclusion,
} from '../../../../src/core/format/merkle-log.ts';
import { MerkleRange } from '../../../../src/core/format/merkle-range.ts';
import vectors from '../../../vectors/merkle-log.json' with { type: 'json' };

const sizeMax = 70;
const leaves = Array.from({ length: sizeMax }, (_, i) => leafHashOf(Uint8Array.of(i, 7)));
const leafAt = (index: number): Uint8Array => leaves[index] as Uint8Array;
const roots = Array.from({ length: sizeMax + 1 }, (_, size) => logRoot(size, leafAt));
const rootAt = (size: number): Uint8Array => roots[size] as Uint8Array;

describe('the vectors of Certificate Transparency', () => {
  const known = vectors.leaves.map((leaf) => leafHashOf(bytes(leaf)));
  const knownAt = (index: number): Uint8Array => known[index] as Uint8Array;

  test('roots of all sizes are theirs', () => {
    expect(toHex(emptyLogRoot())).toBe(vectors.emptyRoot);
    const found = known.map((_, i) => toHex(logRoot(i + 1, knownAt)));
    expect(found).toEqual(vectors.roots);
  });

  test.each(vectors.inclusion)('the proof of leaf $index in $size is theirs', (vector) => {
    expect(inclusionProof(vector.index, vector.size, knownAt).map(toHex)).toEqual(vector.proof);
    const root = bytes(vectors.roots[vector.size - 1] as string);
    const claim = {
      ...vector,
      leafHash: knownAt(vector.index),
      root,
      proof: vector.proof.map(bytes),
    };
    expect(verifyInclusion(claim)).toBe(true);
  });

  test.each(vectors.consistency)('the proof from $oldSize to $size is theirs', (vector) => {
    expect(consistencyProof(vector.oldSize, vector.size, knownAt).map(toHex)).toEqual(vector.proof);
    const [oldRoot, root] = [vector.oldSize, vector.size].map((size) =>
      bytes(vectors.roots[size - 1] as string),
    ) as [Uint8Array, Uint8Array];
    expect(verifyConsistency({ ...vector, oldRoot, root, proof: vector.proof.map(bytes) })).toBe(
      true,
    );
  });
});

describe('inclusion proofs', () => {
  test('every leaf of every tree has one that holds, and for no other index, size or root', () => {
    for (let size = 1; size <= sizeMax; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, leafAt);
        const claim = { index, size, leafHash: leafAt(index), root: rootAt(size), proof };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, root: rootAt(size - 1) })).toBe(false);
        expect(verifyInclusion({ ...claim, leafHash: leafAt((index + 1) % sizeMax) })).toBe(false);
        for (const other of [index - 1, index + 1, index ^ 2, index ^ 4]) {
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
      }
    }
  });

  test('a proof with a hash too many, too few, changed or cut does not hold', () => {
    for (const [index, size] of [
      [0, 2],
      [6, 7],
      [5, 8],
      [33, 64],
      [64, 65],
      [69, 70],
    ] as const) {
      const proof = inclusionProof(index, size, leafAt);
      const claim = { index, size, leafHash: leafAt(index), root: rootAt(size) };
      for (const bad of spoiled(proof))
        expect(verifyInclusion({ ...claim, proof: bad })).toBe(false);
    }
  });

  test('numbers that are none are refused', () => {
    const claim = { index: 0, size: 1, leafHash: leafAt(0), root: rootAt(1), proof: [] };
    expect(verifyInclusion(claim)).toBe(true);
    for (const index of [-1, 0.5, Number.NaN, 1, 2 ** 53]) {
      expect(verifyInclusion({ ...claim, index })).toBe(false);
    }
    for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(verifyInclusion({ ...claim, size })).toBe(false);
    }
  });

  test('a node does not pass for a leaf', () => {
    const [a, b] = [leafAt(0), leafAt(1)];
    expect(nodeHashOf(a, b)).not.toEqual(leafHashOf(Uint8Array.of(...a, ...b)));
    expect(nodeHashOf(a, b)).not.toEqual(nodeHashOf(b, a));
  });
});

describe('consistency proofs', () => {
  test('every tree has one from each smaller one, and from no other root or size', () => {
    for (let size = 0; size <= sizeMax; size++) {
      for (let oldSize = 0; oldSize <= size; oldSize++) {
        const proof = consistencyProof(oldSize, size, leafAt);
        const claim = { oldSize, size, oldRoot: rootAt(oldSize), root: rootAt(size), proof };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, oldRoot: leafAt(3) })).toBe(false);
        if (oldSize === 0 && size > 0) continue;
        expect(verifyConsistency({ ...claim, root: leafAt(3) })).toBe(false);
        for (const other of [oldSize - 1, oldSize + 1]) {
          expect(verifyConsistency({ ...claim, oldSize: other })).toBe(false);
        }
      }
    }
  });

  test('a proof with a hash too many, too few, changed or cut does not hold', () => {
    for (const [oldSize, size] of [
      [1, 2],
      [2, 5],
      [4, 8],
      [6, 8],
      [63, 64],
      [64, 70],
    ] as const) {
      const proof = consistencyProof(oldSize, size, leafAt);
      const claim = { oldSize, size, oldRoot: rootAt(oldSize), root: rootAt(size) };
      for (const bad of spoiled(proof))
        expect(verifyConsistency({ ...claim, proof: bad })).toBe(false);
    }
  });

  test('a log that changed an old entry has none', () => {
    const changedAt = (index: number): Uint8Array => leafAt(index === 2 ? 60 : index);
    for (let size = 4; size < 20; size++) {
      const proof = consistencyProof(3, size, changedAt);
      const root = logRoot(size, changedAt);
      expect(verifyConsistency({ oldSize: 3, size, oldRoot: rootAt(3), root, proof })).toBe(false);
    }
  });

  test('equal sizes and empty logs need no hashes, and take none', () => {
    const same = { oldSize: 5, size: 5, oldRoot: rootAt(5), root: rootAt(5) };
    expect(verifyConsistency({ ...same, proof: [leafAt(0)] })).toBe(false);
    expect(verifyConsistency({ ...same, root: rootAt(6), proof: [] })).toBe(false);
    const empty = { oldSize: 0, size: 5, oldRoot: rootAt(0), root: rootAt(5) };
    expect(verifyConsistency({ ...empty, proof: [leafAt(0)] })).toBe(false);
    expect(verifyConsistency({ ...same, oldSize: 6, oldRoot: rootAt(6), proof: [] })).toBe(false);
  });
});

describe('MerkleRange', () => {
  test('has the root of the tree at every size, and goes on from what was kept of it', () => {
    let range = MerkleRange.empty();
    for (let size = 0; size <= sizeMax; size++) {
      expect(range.size).toBe(size);
      expect(range.root()).toEqual(rootAt(size));
      const again = MerkleRange.from(size, range.roots);
      expect(again?.root()).toEqual(rootAt(size));
      range = again as MerkleRange;
      if (size < sizeMax) range.append(leafAt(size));
    }
  });

  test('does not go on from roots that cannot be of its size', () => {
    expect(MerkleRange.from(3, [leafAt(0)])).toBeUndefined();
    expect(MerkleRange.from(4, [leafAt(0), leafAt(1)])).toBeUndefined();
    expect(MerkleRange.from(1, [leafAt(0).subarray(1)])).toBeUndefined();
    expect(MerkleRange.from(0.5, [leafAt(0)])).toBeUndefined();
    expect(MerkleRange.from(-1, [leafAt(0)])).toBeUndefined();
    expect(MerkleRange.from(2 ** 52, [leafAt(0)])?.size).toBe(2 ** 52);
  });

  test('shares nothing with its callers', () => {
    const range = MerkleRange.empty();
    const leaf = leafAt(0).slice();
    range.append(leaf);
    leaf.fill(0);
    range.root().fill(0);
    for (const root of range.roots) root.fill(0);
    expect(range.root()).toEqual(rootAt(1));
  });
});

function spoiled(proof: readonly Uint8Array[]): Uint8Array[][] {
  const all = [[...proof, leafAt(0)], [leafAt(0), ...proof], proof.slice(1), proof.slice(0, -1)];
  proof.forEach((hash, at) => {
    all.push(
      proof.with(
        at,
        hash.map((byte, i) => (i === 31 ? byte ^ 1 : byte)),
      ),
    );
    all.push(proof.with(at, hash.subarray(1)));
  });
  return all;
}

function bytes(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array;
}
