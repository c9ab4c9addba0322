import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { concat, toHex } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { ShardHeadSchema } from '../../../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import {
  checkLeaf,
  decodeShardFileHead,
  decodeShardHead,
  encodeShardFileHead,
  encodeShardHead,
  leafCountOf,
  leafSizeAt,
  packIdOf,
  type ShardHead,
  shardFileHeadSizeMax,
  shardHeadMessage,
  shardSizeOf,
} from '../../../../src/core/format/shard.ts';
import { limits } from '../../../../src/core/limits.ts';
import { codedPack, filled, outcomeOf } from './samples.ts';

const { shards, heads } = codedPack({ k: 2, m: 1, packSize: 200_000 });
const head = heads[1] as ShardHead;
const shard = shards[1] as Uint8Array;

describe('sizes', () => {
  test('a shard is a whole number of 64-byte blocks', () => {
    expect(shardSizeOf({ k: 3, packSize: 1 })).toBe(64);
    expect(shardSizeOf({ k: 2, packSize: 128 })).toBe(64);
    expect(shardSizeOf({ k: 2, packSize: 129 })).toBe(128);
    expect(shardSizeOf(head)).toBe(100_032);
  });

  test('the last leaf may be short and none follows it', () => {
    expect(leafCountOf(head)).toBe(2);
    expect(leafSizeAt(head, 0)).toBe(65_536);
    expect(leafSizeAt(head, 1)).toBe(100_032 - 65_536);
    expect(leafSizeAt(head, 2)).toBe(0);
  });

  test('the head of the widest code at the largest pack stays below its bound', () => {
    const packSize = limits.packSizeMax;
    for (const code of [
      { k: 1, m: limits.shardsMax - 1, packSize },
      { k: limits.dataShardsMax, m: limits.shardsMax - limits.dataShardsMax, packSize },
    ]) {
      const roots = Array.from({ length: limits.shardsMax }, () => filled(1));
      const leaves = filled(2, leafCountOf(code) * 32);
      const large = { ...head, ...code, roots, index: limits.shardsMax - 1, leaves };
      expect(encodeShardFileHead(large).length).toBeLessThanOrEqual(shardFileHeadSizeMax);
    }
  });
});

test('the pack id binds version, code, size and roots in that order', () => {
  const bytes = concat([Uint8Array.of(1, 2, 1, 0, 3, 0x0d, 0x40), ...head.roots]);
  expect(head.pack).toBe(toHex(hash('pack', bytes)));
});

describe('a leaf', () => {
  const last = shard.subarray(65_536);

  test('is good only at its place and in full', () => {
    expect(checkLeaf(head, 0, shard.subarray(0, 65_536))).toBe(true);
    expect(checkLeaf(head, 1, last)).toBe(true);
    expect(checkLeaf(head, 0, last)).toBe(false);
    expect(checkLeaf(head, 1, last.subarray(1))).toBe(false);
    expect(checkLeaf(head, 2, new Uint8Array())).toBe(false);
  });

  test('with one bit changed is not good', () => {
    const changed = last.map((byte, i) => (i === 5 ? byte ^ 0x10 : byte));
    expect(checkLeaf(head, 1, changed)).toBe(false);
  });
});

describe('a shard head', () => {
  test.each(heads.map((one) => [one.index, one] as const))('comes back: index %i', (_i, one) => {
    expect(decodeShardHead(encodeShardHead(one))).toEqual(one);
  });

  test('comes back with a single copy and no parity', () => {
    const one = codedPack({ k: 1, m: 0, packSize: 1 }).heads[0] as ShardHead;
    expect(decodeShardHead(encodeShardHead(one))).toEqual(one);
  });

  const bad: [string, object, string][] = [
    ['no data shards', { k: 0 }, 'bad-encoding'],
    ['more data shards than allowed', { k: 9 }, 'bad-encoding'],
    ['more shards than allowed', { m: 31 }, 'bad-encoding'],
    ['a root missing', { roots: head.roots.slice(1) }, 'bad-encoding'],
    ['a short root', { roots: [filled(1, 31), filled(1), filled(1)] }, 'bad-encoding'],
    ['no bytes', { packSize: 0 }, 'bad-encoding'],
    ['too many bytes', { packSize: limits.packSizeMax + 1 }, 'bad-encoding'],
    ['an index beyond the last', { index: 3 }, 'bad-encoding'],
    ['a leaf missing', { leaves: head.leaves.subarray(32) }, 'bad-encoding'],
    ['an unknown type', { type: 3 }, 'bad-encoding'],
    ['a short dataset id', { dataset: filled(1, 15) }, 'bad-encoding'],
    ['a short writer', { writer: filled(1, 31) }, 'bad-encoding'],
    ['another pack id', { pack: filled(1) }, 'corrupt'],
    ['another size', { packSize: 200_001 }, 'corrupt'],
    ['leaves of another shard', { leaves: heads[0]?.leaves }, 'corrupt'],
    ['the index of another shard', { index: 0 }, 'corrupt'],
  ];

  test.each(bad)('with %s is refused', (_what, changes, code) => {
    const message = create(ShardHeadSchema, { ...shardHeadMessage(head), ...changes });
    expect(outcomeOf(() => decodeShardHead(toBinary(ShardHeadSchema, message)))).toBe(code);
  });

  test('with roots of its own making does not get the pack id of another', () => {
    const roots = [filled(1), filled(2), filled(3)];
    expect(packIdOf({ ...head, roots })).not.toBe(head.pack);
  });

  test('does not keep the message alive that it came in', () => {
    const bytes = encodeShardHead(head);
    const decoded = decodeShardHead(bytes);
    bytes.fill(0);
    expect(decoded).toEqual(head);
  });
});

describe('the head of a shard file', () => {
  test('fills whole pages and is followed by the shard', () => {
    const bytes = encodeShardFileHead(head);
    expect(bytes.length % 4096).toBe(0);
    expect(toHex(bytes.subarray(0, 8))).toBe('4846534801000000');
    expect(decodeShardFileHead(concat([bytes, shard]))).toEqual({ head, size: bytes.length });
    expect(fromBinary(ShardHeadSchema, encodeShardHead(head)).k).toBe(2);
  });

  test.each([
    ['a wrong start', 0],
    ['another version', 4],
    ['bytes in the padding', 4095],
  ])('with %s is refused', (_what, at) => {
    const bytes = encodeShardFileHead(head);
    bytes[at] = 0x7f;
    expect(outcomeOf(() => decodeShardFileHead(bytes))).toBe('bad-encoding');
  });

  test('cut within its padding is refused', () => {
    const bytes = encodeShardFileHead(head).subarray(0, -1);
    expect(outcomeOf(() => decodeShardFileHead(bytes))).toBe('bad-encoding');
  });
});
