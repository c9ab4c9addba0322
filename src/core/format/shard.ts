import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { equal } from '../../base/bytes.ts';
import { merkleRoot } from '../coding/merkle.ts';
import { hash } from '../crypto/hash.ts';
import { HoldfastError } from '../errors.ts';
import { type AgentKey, type DatasetId, idBytes, idOf, type PackId } from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { decodeMessage, exactBytes, idField, integer, malformed } from './field.ts';
import type { PackType } from './frame.ts';
import { type ShardHead as Message, ShardHeadSchema } from './gen/holdfast/v1/exchange_pb.js';
import { packTypeFrom, packTypeNumber } from './pack-type.ts';
import { shardSizeOf } from './shard-size.ts';

export { shardSizeOf } from './shard-size.ts';

/** Everything a keyless peer needs to check one shard: see "Shards" in proto/README.md. */
export type ShardHead = {
  readonly pack: PackId;
  readonly k: number;
  readonly m: number;
  readonly packSize: number;
  /** k + m Merkle roots, 32 bytes each. */
  readonly roots: readonly Uint8Array[];
  readonly index: number;
  /** Leaf hashes of shard `index`, 32 bytes each, concatenated. */
  readonly leaves: Uint8Array;
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  readonly type: PackType;
};

/** What a pack id binds: the code, the size, and every byte of every shard through its root. */
export function packIdOf(code: Pick<ShardHead, 'k' | 'm' | 'packSize' | 'roots'>): PackId {
  const head = new LayoutWriter(7).byte(1).byte(code.k).byte(code.m).uint32(code.packSize).done();
  return idOf(hash('pack', head, ...code.roots));
}

/** Leaves of each shard. */
export function leafCountOf(head: Pick<ShardHead, 'k' | 'packSize'>): number {
  return Math.ceil(shardSizeOf(head) / limits.leafSize);
}

/** Bytes of one leaf: the last may be short. 0 beyond the last. */
export function leafSizeAt(head: Pick<ShardHead, 'k' | 'packSize'>, leaf: number): number {
  const left = shardSizeOf(head) - leaf * limits.leafSize;
  return Math.max(0, Math.min(limits.leafSize, left));
}

/** True when these are exactly the bytes of that leaf. */
export function checkLeaf(head: ShardHead, leaf: number, bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length !== leafSizeAt(head, leaf)) return false;
  return equal(hash('leaf', bytes), head.leaves.subarray(leaf * 32, leaf * 32 + 32));
}

/** The message of a head. */
export function shardHeadMessage(head: ShardHead): MessageInitShape<typeof ShardHeadSchema> {
  return {
    pack: idBytes(head.pack),
    k: head.k,
    m: head.m,
    packSize: head.packSize,
    roots: [...head.roots],
    index: head.index,
    leaves: head.leaves,
    dataset: idBytes(head.dataset),
    writer: idBytes(head.writer),
    type: packTypeNumber(head.type),
  };
}

/**
 * The head in a message. Afterwards its leaf hashes are as good as its pack id.
 * @throws HoldfastError bad-encoding | corrupt (its hashes do not agree)
 */
export function shardHeadFrom(message: Message): ShardHead {
  const { shardsMax, dataShardsMax, packSizeMax } = limits;
  const k = integer(message.k, { min: 1, max: dataShardsMax }, 'data shards');
  const m = integer(message.m, { min: 0, max: shardsMax - k }, 'parity shards');
  const packSize = integer(message.packSize, { min: 1, max: packSizeMax }, 'pack size');
  integer(message.roots.length, { min: k + m, max: k + m }, 'count of roots');
  const head: ShardHead = {
    pack: idField(message.pack, 32, 'pack'),
    k,
    m,
    packSize,
    roots: message.roots.map((root) => exactBytes(root, 32, 'root')),
    index: integer(message.index, { min: 0, max: k + m - 1 }, 'shard index'),
    leaves: exactBytes(message.leaves, leafCountOf({ k, packSize }) * 32, 'leaf hashes'),
    dataset: idField(message.dataset, 16, 'dataset'),
    writer: idField(message.writer, 32, 'writer'),
    type: packTypeFrom(message.type),
  };
  refuseDisagreement(head);
  sound.add(head);
  return head;
}

/** Heads whose hashes have been found to agree: finding that out is hundreds of hashes, and heads do not change. */
const sound = new WeakSet<ShardHead>();

/** The rules for heads applied, unless they have been to this one. @throws HoldfastError bad-encoding | corrupt */
export function soundHead(head: ShardHead): ShardHead {
  return sound.has(head) ? head : decodeShardHead(encodeShardHead(head));
}

function refuseDisagreement(head: ShardHead): void {
  if (head.pack !== packIdOf(head)) {
    throw new HoldfastError('corrupt', 'the roots of a shard head do not make its pack id');
  }
  const root = head.roots[head.index];
  if (root === undefined || !equal(merkleRoot(head.leaves), root)) {
    throw new HoldfastError('corrupt', 'the leaves of a shard head do not make its root');
  }
}

/** The bytes of a ShardHead message. */
export function encodeShardHead(head: ShardHead): Uint8Array {
  return toBinary(ShardHeadSchema, create(ShardHeadSchema, shardHeadMessage(head)));
}

/** The head in these bytes, checked as in `shardHeadFrom`. @throws HoldfastError bad-encoding | corrupt */
export function decodeShardHead(bytes: Uint8Array): ShardHead {
  // limits.ts asserts that a head stays below the size of a fact.
  return shardHeadFrom(decodeMessage(ShardHeadSchema, bytes, limits.factSizeMax));
}

// The shard's bytes start at a page, for direct reads.
const pageSize = 4096;
const fixedSize = 12;

function padded(size: number): number {
  return Math.ceil(size / pageSize) * pageSize;
}

/** This many bytes from the start of a shard file hold its whole head. */
export const shardFileHeadSizeMax = padded(fixedSize + limits.factSizeMax);

/** What stands before a shard's bytes in its file; a multiple of 4096 bytes. */
export function encodeShardFileHead(head: ShardHead): Uint8Array {
  const message = encodeShardHead(head);
  const size = padded(fixedSize + message.length);
  return new LayoutWriter(size)
    .text('HFSH')
    .byte(1)
    .zeros(3)
    .uint32(message.length)
    .put(message)
    .zeros(size - fixedSize - message.length)
    .done();
}

/**
 * The head at the start of a shard file. `bytes` may go on beyond it.
 * @returns the head, and the `size` at which the shard's own bytes start.
 * @throws HoldfastError bad-encoding | corrupt
 */
export function decodeShardFileHead(bytes: Uint8Array): { head: ShardHead; size: number } {
  const reader = new LayoutReader(bytes, 'a shard file');
  reader.magic('HFSH');
  reader.versionOne();
  reader.zeros(3);
  const messageSize = reader.uint32();
  if (messageSize > limits.factSizeMax) throw malformed('a shard file has too large a head');
  const head = decodeShardHead(reader.take(messageSize));
  const size = padded(reader.position);
  reader.zeros(size - reader.position);
  return { head, size };
}
