import { equal, utf8 } from '../../base/bytes.ts';
import { hashSize, KeyedHasher } from '../crypto/hash.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { type JournalSummary, putSummary, summarySize, takeSummary } from './journal-summary.ts';

// A segment of the control journal is one file: header, two marks, records. Each of the first three has a
// block of 4096 bytes of its own, the most that a disk tears at once; the rest of a block is zero.
// header: "HFJH" ‖ version 1 (1) ‖ 0 (3) ‖ salt (32) ‖ hash of all before (32)
// mark:   "HFJM" ‖ version 1 (1) ‖ 0 (3) ‖ summary (80) ‖ hash of a record (32) ‖ hash of all before (32)

/**
 * Says that a record is durable; written after its sync, and made durable itself by the next one. So a log
 * that ends before a mark has lost something, and one that ends after it in half a record has not.
 */
export type JournalMark = {
  readonly summary: JournalSummary;
  /** Of the record, 32 bytes. */
  readonly hash: Uint8Array;
};

const blockSize = 4096;
/** Where the first record starts. */
export const recordsOffset = 3 * blockSize;
/** Bytes of a header without the zeros after it. */
export const headerSize = 8 + 2 * hashSize;
/** Bytes of a mark without the zeros after it. */
export const markSize = 8 + summarySize + 2 * hashSize;
/** Where the two marks stand. */
export const markOffsets: readonly number[] = [blockSize, 2 * blockSize];

/** Where the mark of a record stands: never over the one of the record before. */
export function markOffset(sequence: number): number {
  return blockSize * (1 + (sequence % 2));
}

/** The header itself is not secret: this only tells it from other hashes. */
const headerHasher = new KeyedHasher(utf8('holdfast 1 control journal chain'));

/** The header of a segment. @param salt 32 random bytes, the same in all segments of a journal. */
export function encodeHeader(salt: Uint8Array): Uint8Array {
  const hashed = new LayoutWriter(headerSize - hashSize)
    .text('HFJH')
    .byte(1)
    .zeros(3)
    .put(salt)
    .done();
  return sealed(headerHasher, hashed);
}

/** The salt, 32 bytes; undefined when the header is damaged. @throws HoldfastError bad-encoding */
export function decodeHeader(bytes: Uint8Array): Uint8Array | undefined {
  const hashed = opened(headerHasher, bytes, headerSize);
  if (hashed === undefined) return undefined;
  const reader = new LayoutReader(hashed, 'a segment of the control journal');
  reader.magic('HFJH');
  reader.versionOne();
  reader.zeros(3);
  return reader.take(hashSize);
}

/** The bytes of a mark. @param hasher keyed with the journal's salt. */
export function encodeMark(hasher: KeyedHasher, mark: JournalMark): Uint8Array {
  const writer = new LayoutWriter(markSize - hashSize).text('HFJM').byte(1).zeros(3);
  return sealed(hasher, putSummary(writer, mark.summary).put(mark.hash).done());
}

/** The mark in these bytes; undefined when it is damaged. @throws HoldfastError bad-encoding */
export function decodeMark(hasher: KeyedHasher, bytes: Uint8Array): JournalMark | undefined {
  const hashed = opened(hasher, bytes, markSize);
  if (hashed === undefined) return undefined;
  const reader = new LayoutReader(hashed, 'a mark of the control journal');
  reader.magic('HFJM');
  reader.versionOne();
  reader.zeros(3);
  return { summary: takeSummary(reader), hash: reader.take(hashSize) };
}

function sealed(hasher: KeyedHasher, hashed: Uint8Array): Uint8Array {
  return new LayoutWriter(hashed.length + hashSize).put(hashed).put(hasher.hash(hashed)).done();
}

function opened(hasher: KeyedHasher, bytes: Uint8Array, size: number): Uint8Array | undefined {
  if (bytes.length < size) return undefined;
  const hashed = bytes.slice(0, size - hashSize);
  return equal(hasher.hash(hashed), bytes.subarray(size - hashSize, size)) ? hashed : undefined;
}
