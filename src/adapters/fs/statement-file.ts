import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { concat, fromUtf8, utf8 } from '../../base/bytes.ts';
import { limits } from '../../core/limits.ts';
import type { StreamName } from '../../ports/statement-log.ts';
import { readFully } from './file-access.ts';

// A file holds one sequence, integers big-endian:
// header: "HFSL" ‖ version 1 (1) ‖ 0 (3) ‖ size of writer (2) ‖ size of stream (2) ‖ crc32 of all the rest (4)
//         ‖ writer ‖ stream
// record: size of envelope (4) ‖ crc32 of all the rest (4) ‖ sequence (8) ‖ hash (32) ‖ envelope

export type LogEntry = {
  readonly sequence: number;
  readonly hash: Uint8Array;
  readonly envelope: Uint8Array;
};

const magic = utf8('HFSL\u0001\0\0\0');
const headerFixedSize = 16;
const recordFixedSize = 48;
const recordSizeMax = recordFixedSize + limits.envelopeSizeMax;
/** Read at once by a scan; at least one whole record. */
const windowSize = 4 * recordSizeMax;

/** A name that any file system takes, of fixed length. The header says what it stands for. */
export function logFileName({ writer, stream }: StreamName): string {
  const digest = createHash('sha256').update(`${writer}\n${stream}`).digest('hex');
  return `${digest.slice(0, 32)}.log`;
}

export function encodeHeader(name: StreamName): Uint8Array {
  const writer = utf8(name.writer);
  const stream = utf8(name.stream);
  const fixed = new Uint8Array(headerFixedSize);
  fixed.set(magic);
  const view = new DataView(fixed.buffer);
  view.setUint16(8, writer.length);
  view.setUint16(10, stream.length);
  view.setUint32(12, crc32(concat([fixed.subarray(0, 12), writer, stream])));
  return concat([fixed, writer, stream]);
}

export function encodeRecord(entry: LogEntry): Uint8Array {
  assert(entry.envelope.length <= limits.envelopeSizeMax, 'an envelope is within its limit');
  assert(entry.hash.length === 32, 'a statement hash is 32 bytes');
  const record = new Uint8Array(recordFixedSize + entry.envelope.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, entry.envelope.length);
  view.setBigUint64(8, BigInt(entry.sequence));
  record.set(entry.hash, 16);
  record.set(entry.envelope, recordFixedSize);
  view.setUint32(4, recordChecksum(record));
  return record;
}

/** The record at the start of these bytes, as views of them, with its size; undefined when none is whole there. */
export function decodeRecord(bytes: Uint8Array): (LogEntry & { size: number }) | undefined {
  if (bytes.length < recordFixedSize) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = recordFixedSize + view.getUint32(0);
  if (size > recordSizeMax || size > bytes.length) return undefined;
  const record = bytes.subarray(0, size);
  if (view.getUint32(4) !== recordChecksum(record)) return undefined;
  return {
    sequence: Number(view.getBigUint64(8)),
    hash: record.subarray(16, recordFixedSize),
    envelope: record.subarray(recordFixedSize),
    size,
  };
}

/** Over the length too: a flipped length must not make another record's bytes look like this one's. */
function recordChecksum(record: Uint8Array): number {
  return crc32(record.subarray(8), crc32(record.subarray(0, 4)));
}

export type LogScan = {
  readonly name: StreamName;
  /** Where each good record starts, from sequence 1 on. */
  readonly offsets: number[];
  readonly hash: Uint8Array | undefined;
  /** End of the last good record. */
  readonly end: number;
  /**
   * What stands after `end`. torn: the start of one append that was never confirmed. damaged: records that
   * were confirmed are lost or can no longer be reached.
   */
  readonly rest: 'nothing' | 'torn' | 'damaged';
};

/** Reads a log file through. @returns undefined when its header is damaged, so that nobody knows whose it is. */
export async function scanLogFile(file: FileHandle): Promise<LogScan | undefined> {
  const { size } = await file.stat();
  const window = new Window(file, size);
  const header = decodeHeader(await window.at(0));
  if (header === undefined) return undefined;
  const offsets: number[] = [];
  let end = header.size;
  let hash: Uint8Array | undefined;
  while (end < size) {
    const record = decodeRecord(await window.at(end));
    if (record?.sequence !== offsets.length + 1) break;
    offsets.push(end);
    hash = record.hash.slice();
    end += record.size;
  }
  const scan = { name: header.name, offsets, hash, end };
  if (end === size) return { ...scan, rest: 'nothing' };
  // One append is under way at a time, so a torn one leaves less than one record, and none after it.
  const isTorn =
    size - end < recordSizeMax && !holdsRecord(await window.at(end), offsets.length + 1);
  return { ...scan, rest: isTorn ? 'torn' : 'damaged' };
}

/** Whether a record that could belong to this sequence, `sequence` or later, stands anywhere in the bytes. */
function holdsRecord(bytes: Uint8Array, sequence: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sequenceMax = sequence + bytes.length / recordFixedSize;
  for (let at = 0; at + recordFixedSize <= bytes.length; at++) {
    // The sequence is compared first: a checksum at every position would take minutes.
    const found = Number(view.getBigUint64(at + 8));
    if (found < sequence || found > sequenceMax) continue;
    if (decodeRecord(bytes.subarray(at)) !== undefined) return true;
  }
  return false;
}

function decodeHeader(bytes: Uint8Array): { name: StreamName; size: number } | undefined {
  if (bytes.length < headerFixedSize) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const writerEnd = headerFixedSize + view.getUint16(8);
  const size = writerEnd + view.getUint16(10);
  if (size > bytes.length || magic.some((byte, at) => bytes[at] !== byte)) return undefined;
  const checksum = crc32(bytes.subarray(headerFixedSize, size), crc32(bytes.subarray(0, 12)));
  if (checksum !== view.getUint32(12)) return undefined;
  const writer = fromUtf8(bytes.subarray(headerFixedSize, writerEnd));
  const stream = fromUtf8(bytes.subarray(writerEnd, size));
  if (writer === undefined || stream === undefined) return undefined;
  return { name: { writer, stream }, size };
}

/** A file read front to back in large steps. */
class Window {
  readonly #file: FileHandle;
  readonly #size: number;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Bytes from `offset` on: at least a whole record, unless the file ends before. */
  async at(offset: number): Promise<Uint8Array> {
    const wanted = Math.min(recordSizeMax, this.#size - offset);
    const from = offset - this.#start;
    if (from >= 0 && this.#bytes.length - from >= wanted) return this.#bytes.subarray(from);
    this.#bytes = await readFully(this.#file, offset, windowSize);
    this.#start = offset;
    return this.#bytes;
  }
}
