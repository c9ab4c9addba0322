import { describe, expect, test } from 'vitest';
import { toHex } from '../../../../src/base/bytes.ts';
import { leafHashes, merkleRoot } from '../../../../src/core/coding/merkle.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { byteStream } from '../../../support/byte-stream.ts';
import vectors from '../../../vectors/merkle.json' with { type: 'json' };

test.each(vectors.cases)('$size bytes in leaves of $leafSize hash to the vector', (vector) => {
  const leaves = leafHashes(byteStream('merkle data', vector.size), vector.leafSize);
  expect(toHex(leaves)).toBe(vector.leaves.join(''));
  expect(toHex(merkleRoot(leaves))).toBe(vector.root);
});

describe('merkleRoot', () => {
  test('puts the largest power of two below the count on the left (RFC 6962, section 2.1)', () => {
    const [a, b, c] = [0, 1, 2].map((i) => hash('leaf', Uint8Array.of(i))) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const leaves = Uint8Array.of(...a, ...b, ...c);
    expect(merkleRoot(leaves)).toEqual(hash('node', hash('node', a, b), c));
  });

  test('changes when any leaf changes', () => {
    const leaves = leafHashes(byteStream('merkle data', 700), 64);
    const roots = new Set([toHex(merkleRoot(leaves))]);
    for (let at = 0; at < leaves.length; at += 32) {
      const changed = leaves.slice();
      changed[at] = (changed[at] as number) ^ 1;
      roots.add(toHex(merkleRoot(changed)));
    }
    expect(roots.size).toBe(1 + 11);
  });

  test('refuses no leaves and broken ones', () => {
    expect(() => merkleRoot(new Uint8Array(0))).toThrow('leaves are whole hashes');
    expect(() => merkleRoot(new Uint8Array(33))).toThrow('leaves are whole hashes');
  });
});

test('no bytes have no leaves', () => {
  expect(leafHashes(new Uint8Array(0), 64)).toHaveLength(0);
});
