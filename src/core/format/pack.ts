import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import { type DatasetId, idBytes, idOf } from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { integer, malformed } from './field.ts';
import type { PackType } from './frame.ts';
import { packTypeFrom, packTypeNumber } from './pack-type.ts';

/** The start of a pack, in clear: what its frames are bound to, and its key, sealed. */
export type PackHeader = {
  readonly type: PackType;
  readonly dataset: DatasetId;
  /** 16 random bytes. */
  readonly salt: Uint8Array;
  /** An age v1 file to the dataset's epoch recipient; its content is the pack's 32-byte key. */
  readonly sealedKey: Uint8Array;
};

/** One frame as the footer lists it, so that an index can be rebuilt from packs alone. */
export type FooterFrame = {
  readonly sealedSize: number;
  /** In order of their bytes in the opened frame. */
  readonly chunks: readonly { readonly id: Uint8Array; readonly length: number }[];
};

const fixedSize = 42;
const sealedKeySizeMax = 8192;
const trailerSize = 8;

/** This many bytes from the start of a pack hold its whole header. */
export const packHeaderSizeMax = fixedSize + sealedKeySizeMax;

/** The header's bytes. */
export function encodePackHeader({ type, dataset, salt, sealedKey }: PackHeader): Uint8Array {
  assert(salt.length === 16, 'the salt has 16 bytes');
  assert(sealedKey.length <= sealedKeySizeMax, 'a sealed key has one recipient');
  return new LayoutWriter(fixedSize + sealedKey.length)
    .text('HFPK')
    .byte(1)
    .byte(packTypeNumber(type))
    .zeros(2)
    .put(idBytes(dataset))
    .put(salt)
    .uint16(sealedKey.length)
    .put(sealedKey)
    .done();
}

/**
 * The header at the start of a pack. `bytes` may go on beyond it.
 * @returns the header, and the `size` at which the first frame starts. @throws HoldfastError bad-encoding
 */
export function decodePackHeader(bytes: Uint8Array): PackHeader & { readonly size: number } {
  const reader = new LayoutReader(bytes, 'a pack');
  reader.magic('HFPK');
  reader.versionOne();
  const type = packTypeFrom(reader.byte());
  reader.zeros(2);
  const dataset = idOf<DatasetId>(reader.take(16));
  const salt = reader.take(16).slice();
  const bounds = { min: 1, max: sealedKeySizeMax };
  const sealedKey = reader.take(integer(reader.uint16(), bounds, 'size of a sealed key')).slice();
  return { type, dataset, salt, sealedKey, size: reader.position };
}

/**
 * The pieces of a pack in order, from its encoded header, its sealed frames in order, and its sealed footer.
 * @throws HoldfastError limit-exceeded (over limits.packSizeMax)
 */
export function packParts(
  header: Uint8Array,
  frames: readonly Uint8Array[],
  sealedFooter: Uint8Array,
): { readonly parts: readonly Uint8Array[]; readonly size: number } {
  const trailer = new LayoutWriter(trailerSize).uint32(sealedFooter.length).text('HFPE').done();
  const parts = [header, ...frames, sealedFooter, trailer];
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > limits.packSizeMax) {
    const details = { size, sizeMax: limits.packSizeMax };
    throw new HoldfastError('limit-exceeded', 'the pack is too large', { details });
  }
  return { parts, size };
}

/** The whole pack in one array. @throws as packParts */
export function assemblePack(
  header: Uint8Array,
  frames: readonly Uint8Array[],
  sealedFooter: Uint8Array,
): Uint8Array {
  return concat(packParts(header, frames, sealedFooter).parts);
}

/**
 * Where the sealed footer lies in a pack of `packSize` bytes, from the pack's last bytes (8 or more).
 * @throws HoldfastError bad-encoding
 */
export function findFooter(
  packTail: Uint8Array,
  packSize: number,
): { offset: number; size: number } {
  const trailer = packTail.subarray(Math.max(0, packTail.length - trailerSize));
  const reader = new LayoutReader(trailer, 'the end of a pack');
  const size = reader.uint32();
  reader.magic('HFPE');
  const offset = packSize - trailerSize - size;
  if (offset < fixedSize) throw malformed('the footer of a pack is larger than the pack');
  return { offset, size };
}

/** The footer's plaintext. */
export function encodeFooter(frames: readonly FooterFrame[]): Uint8Array {
  const chunkCount = frames.reduce((sum, { chunks }) => sum + chunks.length, 0);
  const writer = new LayoutWriter(4 + frames.length * 8 + chunkCount * 36).uint32(frames.length);
  for (const { sealedSize, chunks } of frames) {
    writer.uint32(sealedSize).uint32(chunks.length);
    for (const { id, length } of chunks) writer.put(id).uint32(length);
  }
  return writer.done();
}

/** The frames that an opened footer lists. @throws HoldfastError bad-encoding */
export function decodeFooter(bytes: Uint8Array): FooterFrame[] {
  const reader = new LayoutReader(bytes, 'the footer of a pack');
  const { packFramesMax, packChunksMax } = limits;
  const count = integer(reader.uint32(), { min: 0, max: packFramesMax }, 'count of frames');
  const frames = Array.from({ length: count }, () => footerFrame(reader));
  reader.end();
  const chunkCount = frames.reduce((sum, { chunks }) => sum + chunks.length, 0);
  integer(chunkCount, { min: 0, max: packChunksMax }, 'count of chunks in a pack');
  return frames;
}

function footerFrame(reader: LayoutReader): FooterFrame {
  const { packSizeMax, frameChunksMax, frameSizeMax } = limits;
  const sealedSize = integer(reader.uint32(), { min: 1, max: packSizeMax }, 'size of a frame');
  const count = integer(reader.uint32(), { min: 0, max: frameChunksMax }, 'count of chunks');
  const chunks = Array.from({ length: count }, () => {
    const id = reader.take(32).slice();
    return { id, length: integer(reader.uint32(), { min: 1, max: frameSizeMax }, 'chunk length') };
  });
  const opened = chunks.reduce((sum, { length }) => sum + length, 0);
  integer(opened, { min: 0, max: frameSizeMax }, 'size of an opened frame');
  return { sealedSize, chunks };
}
