import { assert } from '../../base/assert.ts';
import { compare } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import { idBytes, idOf, type PackId } from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { integer, malformed } from './field.ts';
import type { PackType } from './frame.ts';
import { packTypeFrom, packTypeNumber } from './pack-type.ts';

/** One pack of a snapshot, as keyless peers know it. */
export type PackEntry = {
  readonly pack: PackId;
  readonly k: number;
  readonly m: number;
  readonly type: PackType;
  /** Of the pack, before coding. */
  readonly size: number;
};

const packSegmentType = 1;
const holdingType = 2;
const hotHoldingType = 32;
const entrySize = 40;

/** 32 bytes: what a fact is named by. */
export function factHash(fact: Uint8Array): Uint8Array {
  return hash('fact', fact);
}

/**
 * The pack segments of a manifest. Where a segment ends depends on the ids alone, so that a snapshot that
 * adds few packs shares most segments with the one before.
 */
export function encodePackSegments(
  entries: readonly PackEntry[],
): { hash: Uint8Array; bytes: Uint8Array; count: number }[] {
  const sorted = entries
    .map((entry) => ({ entry, id: idBytes(entry.pack) }))
    .sort((a, b) => compare(a.id, b.id));
  const segments: Uint8Array[] = [];
  let current: typeof sorted = [];
  for (const item of sorted) {
    const before = current.at(-1);
    assert(before?.entry.pack !== item.entry.pack, 'a manifest names each pack once');
    current.push(item);
    if (item.id[31] === 0 || current.length === limits.packSegmentEntriesMax) {
      segments.push(packSegmentBytes(current));
      current = [];
    }
  }
  if (current.length > 0) segments.push(packSegmentBytes(current));
  return segments.map((bytes) => ({
    hash: factHash(bytes),
    bytes,
    count: (bytes.length - 1) / entrySize,
  }));
}

function packSegmentBytes(items: readonly { entry: PackEntry; id: Uint8Array }[]): Uint8Array {
  const writer = new LayoutWriter(1 + items.length * entrySize).byte(packSegmentType);
  for (const { entry, id } of items) {
    const { k, m, type, size } = entry;
    writer.put(id).byte(k).byte(m).byte(packTypeNumber(type)).zeros(1).uint32(size);
  }
  return writer.done();
}

/** The packs of a segment: at least one, ascending, each once. @throws HoldfastError bad-encoding */
export function decodePackSegment(bytes: Uint8Array): PackEntry[] {
  const count = (bytes.length - 1) / entrySize;
  if (!Number.isInteger(count)) throw malformed('a pack segment has a wrong size');
  integer(count, { min: 1, max: limits.packSegmentEntriesMax }, 'count of packs');
  const reader = new LayoutReader(bytes, 'a pack segment');
  if (reader.byte() !== packSegmentType) throw malformed('the fact is no pack segment');
  const entries: PackEntry[] = [];
  let before: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const id = reader.take(32);
    if (before !== undefined && compare(before, id) >= 0) {
      throw malformed('the packs of a segment do not ascend');
    }
    before = id;
    entries.push(packEntry(id, reader));
  }
  return entries;
}

function packEntry(id: Uint8Array, reader: LayoutReader): PackEntry {
  const { shardsMax, dataShardsMax, packSizeMax } = limits;
  const k = integer(reader.byte(), { min: 1, max: dataShardsMax }, 'data shards');
  const m = integer(reader.byte(), { min: 0, max: shardsMax - k }, 'parity shards');
  const type = packTypeFrom(reader.byte());
  reader.zeros(1);
  const size = integer(reader.uint32(), { min: 1, max: packSizeMax }, 'pack size');
  return { pack: idOf(id), k, m, type, size };
}

/** Which shards a peer holds of the packs of one segment. */
export type Holding = {
  /** Hash of the pack segment, 32 bytes. */
  readonly segment: Uint8Array;
  /** For each entry of the segment: bit i is set when shard i is held. Unsigned 32 bits. */
  readonly masks: readonly number[];
  /**
   * For each entry, which of these shards are here only so that a full copy is: all of them data shards. They go
   * again, so no promise rests on them. Absent where there is none.
   */
  readonly extras?: readonly number[];
};

/** The fact that a receipt names. */
export function encodeHolding({ segment, masks, extras = [] }: Holding): Uint8Array {
  assert(masks.length > 0 && masks.length <= limits.packSegmentEntriesMax, 'a mask for each pack');
  const isHot = extras.some((extra) => extra !== 0);
  const size = 33 + masks.length * (isHot ? 5 : 4);
  const writer = new LayoutWriter(size).byte(isHot ? hotHoldingType : holdingType).put(segment);
  for (const mask of masks) writer.uint32(mask >>> 0);
  if (!isHot) return writer.done();
  for (const [i, mask] of masks.entries()) {
    const extra = extras[i] ?? 0;
    assert((extra & ~mask) === 0 && extra < 2 ** limits.dataShardsMax, 'extras are held');
    writer.byte(extra);
  }
  return writer.done();
}

/**
 * The holding in a fact. The caller compares the count of masks with the segment's.
 * @throws HoldfastError bad-encoding
 */
export function decodeHolding(bytes: Uint8Array): Holding {
  const isHot = bytes[0] === hotHoldingType;
  const count = (bytes.length - 33) / (isHot ? 5 : 4);
  if (!Number.isInteger(count)) throw malformed('a holding has a wrong size');
  integer(count, { min: 1, max: limits.packSegmentEntriesMax }, 'count of masks');
  const reader = new LayoutReader(bytes, 'a holding');
  const type = reader.byte();
  if (type !== holdingType && type !== hotHoldingType) throw malformed('the fact is no holding');
  const segment = reader.take(32).slice();
  const masks = Array.from({ length: count }, () => reader.uint32());
  if (!isHot) return { segment, masks };
  const extras = masks.map(() => reader.byte());
  if (extras.some((extra, i) => (extra & ~(masks[i] ?? 0)) !== 0)) {
    throw malformed('a holding names extra shards that it does not hold');
  }
  // One encoding of each holding: who signs again what has not changed would see a change.
  if (extras.every((extra) => extra === 0)) throw malformed('a holding without extra shards');
  return { segment, masks, extras };
}
