import { codeOf, HoldfastError } from '../errors.ts';
import type { TreeEntry } from './tree.ts';
import { decodeEntries } from './tree.ts';

/**
 * What a source remembers of one directory, so that unchanged files are not read again.
 * Local to the source; losing it costs one full read.
 */
export type CatalogRecord = {
  readonly entries: readonly CatalogEntry[];
  /** Chunk ids of the directory's stream. */
  readonly tree: readonly Uint8Array[];
  /** Ordinals of the packs that the stream's chunks lie in. */
  readonly packs: readonly number[];
};

export type CatalogEntry = {
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
  readonly mtimeNs: bigint;
  /** Of files, bytes; else 0. */
  readonly size: number;
  /** The record had settled when it was read: its ctime lay far enough in the past. */
  readonly isSettled: boolean;
  /** Ordinals of the packs that the entry's content lies in. */
  readonly packs: readonly number[];
  /** Bytes of file content that lie in each of them, in the same order; 0 where only a list of chunks does. */
  readonly packBytes: readonly number[];
  /** The encoded TreeEntry, length prefix included. */
  readonly record: Uint8Array;
};

const entryHeaderSize = 8 + 8 + 8 + 8 + 8 + 1 + 4 + 4;
const idSize = 32;
/** No more is in a pack; but a file may name the same chunk many times. */
const bytesMax = 0xffff_ffff;

/**
 * Count of chunk ids, count of packs, ids, packs; then for each entry: ctime, inode, device, mtime, size, settled, pack
 * count, record size, packs and the bytes in each, record.
 */
export function encodeCatalogRecord(record: CatalogRecord): Uint8Array {
  const head = headOf(record);
  // An array for each entry would cost more than all the rest.
  const bytes = new Uint8Array(record.entries.reduce((sum, one) => sum + sizeOf(one), head.length));
  const view = new DataView(bytes.buffer);
  bytes.set(head);
  let at = head.length;
  for (const entry of record.entries) {
    view.setBigInt64(at, entry.ctimeNs);
    view.setBigUint64(at + 8, entry.inode);
    view.setBigUint64(at + 16, entry.device);
    view.setBigInt64(at + 24, entry.mtimeNs);
    view.setFloat64(at + 32, entry.size);
    view.setUint8(at + 40, entry.isSettled ? 1 : 0);
    view.setUint32(at + 41, entry.packs.length);
    view.setUint32(at + 45, entry.record.length);
    at += entryHeaderSize;
    for (const [i, pack] of entry.packs.entries()) {
      view.setUint32(at, pack);
      view.setUint32(at + 4, Math.min(entry.packBytes[i] ?? 0, bytesMax));
      at += 8;
    }
    bytes.set(entry.record, at);
    at += entry.record.length;
  }
  return bytes;
}

function sizeOf({ packs, record }: CatalogEntry): number {
  return entryHeaderSize + 8 * packs.length + record.length;
}

function headOf({ tree, packs }: CatalogRecord): Uint8Array {
  const head = new Uint8Array(8 + idSize * tree.length + 4 * packs.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, tree.length);
  view.setUint32(4, packs.length);
  tree.forEach((id, i) => {
    head.set(id, 8 + idSize * i);
  });
  packs.forEach((pack, i) => {
    view.setUint32(8 + idSize * tree.length + 4 * i, pack);
  });
  return head;
}

/** @throws HoldfastError bad-encoding */
export function decodeCatalogRecord(bytes: Uint8Array): CatalogRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const entries: CatalogEntry[] = [];
    const packsFrom = 8 + idSize * view.getUint32(0);
    let at = packsFrom + 4 * view.getUint32(4);
    if (at > bytes.length) throw new RangeError('head size');
    const tree = Array.from({ length: view.getUint32(0) }, (_, i) =>
      bytes.subarray(8 + idSize * i, 8 + idSize * (i + 1)),
    );
    const packs = numbersAt(view, packsFrom, view.getUint32(4), 4);
    while (at < bytes.length) {
      const packCount = view.getUint32(at + 41);
      const start = at + entryHeaderSize + 8 * packCount;
      const end = start + view.getUint32(at + 45);
      if (end > bytes.length) throw new RangeError('entry size');
      entries.push({
        ctimeNs: view.getBigInt64(at),
        inode: view.getBigUint64(at + 8),
        device: view.getBigUint64(at + 16),
        mtimeNs: view.getBigInt64(at + 24),
        size: view.getFloat64(at + 32),
        isSettled: view.getUint8(at + 40) === 1,
        packs: numbersAt(view, at + entryHeaderSize, packCount, 8),
        packBytes: numbersAt(view, at + entryHeaderSize + 4, packCount, 8),
        record: bytes.subarray(start, end),
      });
      at = end;
    }
    return { entries, tree, packs };
  } catch (cause) {
    throw new HoldfastError('bad-encoding', 'a catalog record is damaged', { cause });
  }
}

function numbersAt(view: DataView, at: number, count: number, step: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(view.getUint32(at + step * i));
  return numbers;
}

/** The TreeEntry inside a catalog entry. @throws HoldfastError bad-encoding */
export function entryOf(entry: CatalogEntry): TreeEntry {
  const [decoded, ...others] = decodeEntries(entry.record);
  if (decoded === undefined || others.length > 0) {
    throw new HoldfastError(
      'bad-encoding',
      'a catalog entry holds another number of names than one',
    );
  }
  return decoded;
}

/** A damaged record is as good as none. */
export function earlierEntry(before: CatalogEntry): TreeEntry | undefined {
  try {
    return entryOf(before);
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') return undefined;
    throw error;
  }
}
