import { compare } from '../base/bytes.ts';
import type { CatalogEntry, CatalogRecord } from '../core/format/catalog-record.ts';

/** The name field of an encoded TreeEntry: length prefix, tag 0x0a, size, name; empty when it is damaged. */
export function nameIn(record: Uint8Array): Uint8Array {
  let at = 0;
  while (at < record.length && (record[at] as number) >= 0x80) at++;
  at += 2;
  let size = 0;
  for (let shift = 0; at < record.length && shift < 28; shift += 7) {
    const byte = record[at++] as number;
    size |= (byte & 0x7f) << shift;
    if (byte < 0x80) return record.subarray(at, at + size);
  }
  return new Uint8Array(0);
}

/** Finds a directory's earlier entries while its present ones pass by in name order. */
export class CatalogCursor {
  readonly #entries: readonly CatalogEntry[];
  #at = 0;

  constructor(record: CatalogRecord | undefined) {
    this.#entries = record?.entries ?? [];
  }

  find(name: Uint8Array): CatalogEntry | undefined {
    for (; this.#at < this.#entries.length; this.#at++) {
      const entry = this.#entries[this.#at] as CatalogEntry;
      const order = compare(nameIn(entry.record), name);
      if (order === 0) return entry;
      if (order > 0) return undefined;
    }
    return undefined;
  }
}
