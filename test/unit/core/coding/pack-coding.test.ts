import { describe, expect, test } from 'vitest';
import { concat } from '../../../../src/base/bytes.ts';
import { leafHashes, merkleRoot } from '../../../../src/core/coding/merkle.ts';
import { encodePack } from '../../../../src/core/coding/pack-coding.ts';
import { reconstruct } from '../../../../src/core/coding/reed-solomon.ts';
import { limits } from '../../../../src/core/limits.ts';
import { byteStream } from '../../../support/byte-stream.ts';

describe('encodePack', () => {
  test.each([
    [1, 2, 1, 64],
    [100, 4, 2, 64],
    [256, 4, 2, 64],
    [257, 4, 2, 128],
    [700_001, 3, 2, 233_344],
    [500_000, 1, 3, 500_032],
  ])('cuts %i bytes for a %i + %i code into shards of %i bytes', (size, k, m, shardSize) => {
    const pack = byteStream('pack', size);
    const encoded = encodePack({ parts: [pack], k, m });
    expect(encoded.shards.map((shard) => shard.length)).toEqual(
      Array.from({ length: k + m }, () => shardSize),
    );
    const joined = concat(encoded.shards.slice(0, k));
    expect(joined.subarray(0, size)).toEqual(pack);
    expect(joined.subarray(size)).toEqual(new Uint8Array(k * shardSize - size));
  });

  test('gives every shard the leaves and the root of its own bytes', () => {
    const { shards, leaves, roots } = encodePack({
      parts: [byteStream('pack', 400_000)],
      k: 2,
      m: 2,
    });
    expect(leaves).toEqual(shards.map((shard) => leafHashes(shard, limits.leafSize)));
    expect(roots).toEqual(leaves.map(merkleRoot));
    expect(new Set(roots.map(String)).size).toBe(4);
  });

  test('lets the pack be rebuilt from parity', () => {
    const { shards } = encodePack({ parts: [byteStream('pack', 10_000)], k: 3, m: 3 });
    const present = [3, 4, 5].map((index) => ({ index, bytes: shards[index] as Uint8Array }));
    expect(reconstruct({ k: 3, m: 3, present, wanted: [0, 1, 2] })).toEqual(shards.slice(0, 3));
  });

  test('makes one array serve all copies of a pack', () => {
    const { shards, leaves, roots } = encodePack({ parts: [byteStream('pack', 100)], k: 1, m: 2 });
    expect(new Set(shards).size).toBe(1);
    expect([shards, leaves, roots].map((list) => list.length)).toEqual([3, 3, 3]);
  });

  test('refuses an empty pack', () => {
    expect(() => encodePack({ parts: [new Uint8Array(0)], k: 1, m: 1 })).toThrow(
      'a pack has bytes',
    );
  });
});
