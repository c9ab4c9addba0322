import { assert } from '../../base/assert.ts';
import {
  compareIds,
  type IndexRecord,
  type IndexSegment,
  indexRecordAt,
  indexRecordSize,
  openIndexSegment,
  positionOf,
} from './index-segment.ts';

const slotsMin = 1024;
/** So many are looked for in one segment after another: to make the table takes as long as some hundred such searches. */
const searchesMax = 256;

/**
 * Finds chunks by id in many segments. Keeps the segments' bytes and, once more than a few chunks were asked for, one
 * hash table of record numbers: about 55 bytes a record and no object for it, since a large snapshot has tens of millions.
 */
export class IndexTable {
  readonly #segments: IndexSegment[] = [];
  /** Number of each segment's first record. Ascending. */
  readonly #starts: number[] = [];
  /** Open addressing: record number + 1, 0 where free. At most three quarters are taken. */
  #slots = new Uint32Array(slotsMin);
  #recordCount = 0;
  #count = 0;
  /** Segments whose records are in the table. */
  #placed = 0;
  #searches = 0;

  /** Distinct chunks. */
  get count(): number {
    this.#place();
    return this.#count;
  }

  /**
   * Adds a segment. Of chunks that several segments locate, the first segment added counts.
   * @throws HoldfastError bad-encoding
   */
  add(segmentBytes: Uint8Array): void {
    const opened = openIndexSegment(segmentBytes);
    // A copy: a view would keep the frame that the segment was read from.
    const segment = { ...opened, records: opened.records.slice() };
    const start = this.#recordCount;
    assert(start + segment.count < 0xffff_ffff, 'record numbers fit the table');
    this.#segments.push(segment);
    this.#starts.push(start);
    this.#recordCount += segment.count;
  }

  #place(): void {
    if (this.#placed === this.#segments.length) return;
    this.#grow(this.#recordCount);
    for (; this.#placed < this.#segments.length; this.#placed++) {
      const { records, count } = this.#segments[this.#placed] as IndexSegment;
      const first = (this.#starts[this.#placed] as number) + 1;
      for (let i = 0; i < count; i++) {
        const slot = this.#slotOf(records, i * indexRecordSize);
        if (this.#slots[slot] !== 0) continue;
        this.#slots[slot] = first + i;
        this.#count++;
      }
    }
  }

  /** Where a chunk lies; undefined when no segment says. `id` has 32 bytes. */
  find(id: Uint8Array): IndexRecord | undefined {
    const recordNumber = this.numberOf(id);
    return recordNumber === undefined ? undefined : this.recordAt(recordNumber);
  }

  /** The number of a chunk's record, below `recordCount` and the same from then on; undefined when no segment says. */
  numberOf(id: Uint8Array): number | undefined {
    if (this.#placed < this.#segments.length && this.#searches++ < searchesMax) {
      return this.#search(id);
    }
    this.#place();
    const entry = this.#slots[this.#slotOf(id, 0)] as number;
    return entry === 0 ? undefined : entry - 1;
  }

  #search(id: Uint8Array): number | undefined {
    for (const [at, segment] of this.#segments.entries()) {
      const position = positionOf(segment, id);
      if (position !== undefined) return (this.#starts[at] as number) + position;
    }
    return undefined;
  }

  /** Records of all segments: of a chunk that several locate, each counts. */
  get recordCount(): number {
    return this.#recordCount;
  }

  recordAt(recordNumber: number): IndexRecord {
    assert(recordNumber < this.#recordCount, 'a record number is of this table');
    const { segment, i } = this.#locate(recordNumber);
    return indexRecordAt(segment, i);
  }

  /** The slot that holds the id which starts at `at`, or the free one where it belongs. */
  #slotOf(bytes: Uint8Array, at: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(bytes, at) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return slot;
      const { segment, i } = this.#locate(entry - 1);
      if (compareIds(segment.records, i * indexRecordSize, bytes, at) === 0) return slot;
    }
  }

  #locate(recordNumber: number): { segment: IndexSegment; i: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= recordNumber) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low] as IndexSegment;
    return { segment, i: recordNumber - (this.#starts[low] as number) };
  }

  #grow(count: number): void {
    let size = this.#slots.length;
    while (count > size * 0.75) size *= 2;
    if (size === this.#slots.length) return;
    const old = this.#slots;
    this.#slots = new Uint32Array(size);
    for (const entry of old) if (entry !== 0) this.#insert(entry);
  }

  #insert(entry: number): void {
    const { segment, i } = this.#locate(entry - 1);
    const mask = this.#slots.length - 1;
    let slot = hashOf(segment.records, i * indexRecordSize) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }
}

/** Chunk ids are keyed hashes, so any of their bytes spread evenly. */
function hashOf(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = (value << 8) | (bytes[at + i] as number);
  return value >>> 0;
}
