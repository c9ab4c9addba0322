import { concat } from '../../base/bytes.ts';
import { codeOf, HoldfastError } from '../errors.ts';
import type { TreeEntry } from './tree.ts';
import { decodeEntries } from './tree.ts';

/**
 * What a source remembers of one directory, so that unchanged files are not read again.
 * Local to the source; losing it costs one full read.
 */
export type CatalogRecord = { readonly entries: readonly CatalogEntry[] };

export type CatalogEntry = {
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
  /** The record had settled when it was read: its ctime lay far enough in the past. */
  readonly isSettled: boolean;
  /** Ordinals of the packs that the entry's content lies in. */
  readonly packs: readonly number[];
  /** The encoded TreeEntry, length prefix included. */
  readonly record: Uint8Array;
};

const entryHeaderSize = 8 + 8 + 8 + 1 + 4 + 4;

/** For each entry: ctime, inode, device, settled, pack count, record size, packs, record. */
export function encodeCatalogRecord(record: CatalogRecord): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of record.entries) {
    const header = new Uint8Array(entryHeaderSize + 4 * entry.packs.length);
    const view = new DataView(header.buffer);
    view.setBigInt64(0, entry.ctimeNs);
    view.setBigUint64(8, entry.inode);
    view.setBigUint64(16, entry.device);
    view.setUint8(24, entry.isSettled ? 1 : 0);
    view.setUint32(25, entry.packs.length);
    view.setUint32(29, entry.record.length);
    entry.packs.forEach((pack, i) => {
      view.setUint32(entryHeaderSize + 4 * i, pack);
    });
    parts.push(header, entry.record);
  }
  return concat(parts);
}

/** @throws HoldfastError bad-encoding */
export function decodeCatalogRecord(bytes: Uint8Array): CatalogRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const entries: CatalogEntry[] = [];
    let at = 0;
    while (at < bytes.length) {
      const packCount = view.getUint32(at + 25);
      const start = at + entryHeaderSize + 4 * packCount;
      const end = start + view.getUint32(at + 29);
      if (end > bytes.length) throw new RangeError('entry size');
      const packsAt = at + entryHeaderSize;
      entries.push({
        ctimeNs: view.getBigInt64(at),
        inode: view.getBigUint64(at + 8),
        device: view.getBigUint64(at + 16),
        isSettled: view.getUint8(at + 24) === 1,
        packs: Array.from({ length: packCount }, (_, i) => view.getUint32(packsAt + 4 * i)),
        record: bytes.subarray(start, end),
      });
      at = end;
    }
    return { entries };
  } catch (cause) {
    throw new HoldfastError('bad-encoding', 'a catalog record is damaged', { cause });
  }
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
