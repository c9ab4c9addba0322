import { assert } from '../../base/assert.ts';
import { compare } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import { idBytes, idOf, type PackId } from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { integer, malformed } from './field.ts';

/** Where one chunk lies. */
export type IndexRecord = {
  /** Of the chunk, 32 bytes. */
  readonly id: Uint8Array;
  readonly pack: PackId;
  /** Position of the frame in the pack. */
  readonly frame: number;
  /** Of the sealed frame in the pack. */
  readonly frameOffset: number;
  readonly frameSize: number;
  /** In the opened frame. */
  readonly offset: number;
  readonly length: number;
};

/** A segment that a root names is one blob of one frame. A host's own may be larger. */
export const indexSegmentSizeMax = 1 * MiB;
export const indexRecordSize = 46;
const fixedSize = 16;
const packSize = 36;
const frameSize = 8;

/**
 * This many records stay within indexSegmentSizeMax when they name every frame of their packs, from the
 * first to the last that they name: as the records of whole packs do. One pack may have more of them than
 * this: `encodeIndexSegments` cuts whatever it is given.
 */
export const indexSegmentRecordsMax = Math.floor(
  (indexSegmentSizeMax - fixedSize) / (indexRecordSize + packSize + frameSize),
);

type PackTable = { readonly id: Uint8Array; readonly frames: { offset: number; size: number }[] };

/**
 * One segment, however large: the records sorted by id, the first of those with one id. Frames that no
 * record names stand in their pack's table as zeros.
 */
export function encodeIndexSegment(records: readonly IndexRecord[]): Uint8Array {
  const sorted = distinct(records);
  const packs = packTables(sorted);
  const size = segmentSize(sorted.length, packs.values());
  const writer = new LayoutWriter(size).text('HFIX').byte(1).zeros(3).uint32(packs.size);
  const positions = new Map<PackId, number>();
  for (const [pack, { id, frames }] of packs) {
    positions.set(pack, positions.size);
    writer.put(id).uint32(frames.length);
    for (const frame of frames) writer.uint32(frame.offset).uint32(frame.size);
  }
  writer.uint32(sorted.length);
  for (const record of sorted) {
    const position = positions.get(record.pack);
    assert(position !== undefined, 'every pack of a record is in the table');
    writer.put(record.id).uint32(position).uint16(record.frame);
    writer.uint32(record.offset).uint32(record.length);
  }
  return writer.done();
}

/** As many segments as it takes, each within indexSegmentSizeMax; records of one pack stay together. */
export function encodeIndexSegments(
  records: readonly IndexRecord[],
): { bytes: Uint8Array; count: number }[] {
  const groups: IndexRecord[][] = [];
  let size = Number.POSITIVE_INFINITY;
  let frameCount = 0;
  let before: IndexRecord | undefined;
  for (const record of inOrderOfPlace(distinct(records))) {
    const isNewPack = before?.pack !== record.pack;
    const newFrames = record.frame + 1 - (isNewPack ? 0 : frameCount);
    size += indexRecordSize + (isNewPack ? packSize : 0) + newFrames * frameSize;
    if (size > indexSegmentSizeMax) {
      groups.push([]);
      size = fixedSize + packSize + (record.frame + 1) * frameSize + indexRecordSize;
    }
    groups.at(-1)?.push(record);
    frameCount = record.frame + 1;
    before = record;
  }
  return groups.map((group) => ({ bytes: encodeIndexSegment(group), count: group.length }));
}

function inOrderOfPlace(records: readonly IndexRecord[]): IndexRecord[] {
  const ordered = [...records];
  return ordered.sort((a, b) => {
    if (a.pack !== b.pack) return a.pack < b.pack ? -1 : 1;
    return a.frame - b.frame;
  });
}

function distinct(records: readonly IndexRecord[]): IndexRecord[] {
  // The sort is stable: of equal ids the first given stays. Most ids differ in their first bytes, as one number.
  const sorted = records
    .map((record) => ({ record, prefix: prefixOf(record.id) }))
    .sort((a, b) => a.prefix - b.prefix || compare(a.record.id, b.record.id))
    .map(({ record }) => record);
  return sorted.filter((record, i) => {
    const before = sorted[i - 1];
    return before === undefined || compare(before.id, record.id) !== 0;
  });
}

function prefixOf(id: Uint8Array): number {
  let prefix = 0;
  for (let i = 0; i < 6; i++) prefix = prefix * 256 + (id[i] ?? 0);
  return prefix;
}

/** Tables in order of pack id, so that equal sets of records have equal segments. */
function packTables(records: readonly IndexRecord[]): Map<PackId, PackTable> {
  const packs = [...new Set(records.map(({ pack }) => pack))].sort();
  const tables = new Map(
    packs.map((pack): [PackId, PackTable] => [pack, { id: idBytes(pack), frames: [] }]),
  );
  for (const { pack, frame, frameOffset, frameSize: size } of records) {
    const frames = tables.get(pack)?.frames;
    assert(frames !== undefined && frame < limits.packFramesMax, 'a record names a frame');
    while (frames.length <= frame) frames.push({ offset: 0, size: 0 });
    frames[frame] = { offset: frameOffset, size };
  }
  return tables;
}

function segmentSize(recordCount: number, packs: Iterable<PackTable>): number {
  let size = fixedSize + recordCount * indexRecordSize;
  for (const { frames } of packs) size += packSize + frames.length * frameSize;
  return size;
}

/** A segment's parts, checked: record fields are read where they stand, by `indexRecordAt`. */
export type IndexSegment = {
  readonly packs: readonly IndexPack[];
  /** `count` records of indexRecordSize bytes, ascending by id. */
  readonly records: Uint8Array;
  readonly count: number;
};

/** Frame table of one pack: offset and size of each frame, in turn; zeros where not known. */
export type IndexPack = { readonly pack: PackId; readonly frames: Uint32Array };

/** Checks everything that `indexRecordAt` relies on. `records` is a view. @throws HoldfastError bad-encoding */
export function openIndexSegment(bytes: Uint8Array): IndexSegment {
  const reader = new LayoutReader(bytes, 'an index segment');
  reader.magic('HFIX');
  reader.versionOne();
  reader.zeros(3);
  const packCountMax = Math.floor(reader.left / packSize);
  const packCount = integer(reader.uint32(), { min: 0, max: packCountMax }, 'count of packs');
  const packs = Array.from({ length: packCount }, () => packTableFrom(reader));
  const count = reader.uint32();
  const records = reader.take(count * indexRecordSize);
  reader.end();
  checkRecords(packs, records);
  return { packs, records, count };
}

function packTableFrom(reader: LayoutReader): IndexPack {
  const pack = idOf<PackId>(reader.take(32));
  const count = integer(reader.uint32(), { min: 0, max: limits.packFramesMax }, 'count of frames');
  if (count * frameSize > reader.left) throw malformed('an index segment is cut short');
  const frames = new Uint32Array(count * 2);
  for (let i = 0; i < frames.length; i++) frames[i] = reader.uint32();
  return { pack, frames };
}

/** Without an object for each: a large snapshot has tens of millions. */
function checkRecords(packs: readonly IndexPack[], records: Uint8Array): void {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  for (let at = 0; at < records.length; at += indexRecordSize) {
    if (at > 0 && compareIds(records, at - indexRecordSize, records, at) >= 0) {
      throw malformed('the records of an index segment do not ascend');
    }
    const frames = packs[view.getUint32(at + 32)]?.frames;
    if (frames === undefined) throw unknownPack();
    const frame = 2 * view.getUint16(at + 36);
    const size = frames[frame + 1] ?? 0;
    if (size === 0 || (frames[frame] ?? 0) + size > limits.packSizeMax) {
      throw malformed('a record of an index segment names an unknown frame');
    }
    const length = view.getUint32(at + 42);
    if (length === 0 || view.getUint32(at + 38) + length > limits.frameSizeMax) {
      throw malformed('a record of an index segment lies outside its frame');
    }
  }
}

function unknownPack(): Error {
  return malformed('a record of an index segment names an unknown pack');
}

/** Order of the id that starts at `at` and another, which starts at `otherAt`. */
export function compareIds(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  otherAt: number,
): number {
  for (let i = 0; i < 32; i++) {
    const difference = (bytes[at + i] as number) - (other[otherAt + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Which record is of a chunk; undefined: none. `id` has 32 bytes. */
export function positionOf({ records, count }: IndexSegment, id: Uint8Array): number | undefined {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareIds(records, middle * indexRecordSize, id, 0);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

/** Record `i`; its id is a copy. @throws HoldfastError bad-encoding (it names no pack of the table) */
export function indexRecordAt({ packs, records }: IndexSegment, i: number): IndexRecord {
  const at = i * indexRecordSize;
  const view = new DataView(records.buffer, records.byteOffset + at, indexRecordSize);
  const table = packs[view.getUint32(32)];
  if (table === undefined) throw unknownPack();
  const frame = view.getUint16(36);
  return {
    id: records.slice(at, at + 32),
    pack: table.pack,
    frame,
    frameOffset: table.frames[frame * 2] ?? 0,
    frameSize: table.frames[frame * 2 + 1] ?? 0,
    offset: view.getUint32(38),
    length: view.getUint32(42),
  };
}

/** Bytes of a segment's chunks, and of the sealed frames that they lie in: without an object for each chunk. */
export function segmentSizes({ packs, records, count }: IndexSegment): {
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly frameBytes: number;
} {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  let chunkBytes = 0;
  for (let i = 0; i < count; i++) chunkBytes += view.getUint32(i * indexRecordSize + 42);
  let frameBytes = 0;
  for (const { frames } of packs) {
    for (let i = 1; i < frames.length; i += 2) frameBytes += frames[i] as number;
  }
  return { chunks: count, chunkBytes, frameBytes };
}

/** All records of a segment, ascending by id. @throws HoldfastError bad-encoding */
export function decodeIndexSegment(bytes: Uint8Array): IndexRecord[] {
  const segment = openIndexSegment(bytes);
  return Array.from({ length: segment.count }, (_, i) => indexRecordAt(segment, i));
}
