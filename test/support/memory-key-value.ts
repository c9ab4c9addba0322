import { compare } from '../../src/base/bytes.ts';
import type { KeyValue, KeyValueOperation } from '../../src/ports/key-value.ts';

type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

/** An index in memory: entries in one array sorted by key. */
export class MemoryKeyValue implements KeyValue {
  #entries: Entry[] = [];
  /** How often `get` was called. */
  getCount = 0;

  get(key: Uint8Array): Uint8Array | undefined {
    this.getCount++;
    const entry = this.#entries[this.#position(key)];
    return entry !== undefined && compare(entry.key, key) === 0 ? entry.value.slice() : undefined;
  }

  async batch(operations: readonly KeyValueOperation[]): Promise<void> {
    // Copied first: a range that is under way goes on over the array that it began with.
    this.#entries = [...this.#entries];
    for (const operation of operations) {
      const at = this.#position(operation.key);
      const found = this.#entries[at];
      const isHeld = found !== undefined && compare(found.key, operation.key) === 0;
      const put =
        operation.type === 'put'
          ? [{ key: operation.key.slice(), value: operation.value.slice() }]
          : [];
      this.#entries.splice(at, isHeld ? 1 : 0, ...put);
    }
  }

  async *range(from: Uint8Array, to: Uint8Array): AsyncIterable<Entry> {
    const entries = this.#entries;
    for (let at = this.#position(from); at < entries.length; at++) {
      const entry = entries[at] as Entry;
      if (compare(entry.key, to) >= 0) return;
      yield { key: entry.key.slice(), value: entry.value.slice() };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Where the first key that is not below `key` stands. */
  #position(key: Uint8Array): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare((this.#entries[middle] as Entry).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
