import { concat } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../errors.ts';

const cutSizeMin = 16 * KiB;
/** No chunk of records is larger, so no record may be. */
export const recordChunkSizeMax = 512 * KiB;

/**
 * Gathers a stream of records into chunks whose ends depend on the records' own markers: a change in a
 * large directory changes one or two chunks of it. The rule is in proto/README.md, "Tree".
 */
export class RecordCutter {
  #records: Uint8Array[] = [];
  #size = 0;
  #isCutDue = false;

  /**
   * Takes the next record; `marker` is what decides whether a chunk may end after it: `hash('path', name)`
   * of an entry, the id of an extent (empty for a hole). Asked for only where a chunk is long enough.
   * @returns the chunk before this record, when it ended there.
   * @throws HoldfastError limit-exceeded (a record over recordChunkSizeMax)
   */
  add(record: Uint8Array, marker: () => Uint8Array): Uint8Array | undefined {
    if (record.length > recordChunkSizeMax) {
      const details = { size: record.length, sizeMax: recordChunkSizeMax };
      throw new HoldfastError('limit-exceeded', 'an entry has too much metadata', { details });
    }
    const isOver = this.#size + record.length > recordChunkSizeMax;
    const chunk = this.#isCutDue || isOver ? this.finish() : undefined;
    this.#records.push(record);
    this.#size += record.length;
    this.#isCutDue = this.#size >= cutSizeMin && marker()[0] === 0;
    return chunk;
  }

  /** The last chunk, if there is one; the cutter is empty then. */
  finish(): Uint8Array | undefined {
    if (this.#records.length === 0) return undefined;
    const chunk = concat(this.#records);
    this.#records = [];
    this.#size = 0;
    this.#isCutDue = false;
    return chunk;
  }
}
