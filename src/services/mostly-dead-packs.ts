import { concat } from '../base/bytes.ts';
import type { KeyValue, KeyValueOperation } from '../ports/key-value.ts';
import { numberIn, ordinalBytes, ordinalOf } from './dataset-index-codec.ts';

/** How little the snapshots of a source need of a pack. */
export type MostlyDeadMark = {
  /** The first snapshot of those in a row that need so little. */
  readonly since: number;
  /** By the newest of them. */
  readonly usedBytes: number;
  readonly chunkBytes: number;
};

/**
 * Packs of which the newest snapshots need little, as a source has counted: a part of its index, which may be lost.
 * While a backup stores anew what it needs of some of them, these are avoided: they are known, and not built on.
 */
export class MostlyDeadPacks {
  readonly #store: KeyValue;
  readonly #prefix: Uint8Array;
  readonly #marks = new Map<number, MostlyDeadMark>();
  readonly #avoided = new Set<number>();

  /** `prefix`: of its keys, which go on with the ordinal (4) -> since (4), bytes used (4), bytes of all chunks (4). */
  constructor(store: KeyValue, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** `entries`: all of its keys. */
  async load(entries: ReturnType<KeyValue['range']>): Promise<void> {
    for await (const { key, value } of entries) {
      const [since, usedBytes, chunkBytes] = [0, 4, 8].map((at) => numberIn(value.subarray(at)));
      this.#marks.set(ordinalOf(key), { since, usedBytes, chunkBytes } as MostlyDeadMark);
    }
  }

  marks(): ReadonlyMap<number, MostlyDeadMark> {
    return this.#marks;
  }

  /** Survives power loss. `undefined` takes a mark back. */
  async mark(changes: ReadonlyMap<number, MostlyDeadMark | undefined>): Promise<void> {
    const operations = [...changes].map(([ordinal, mark]): KeyValueOperation => {
      const key = concat([this.#prefix, ordinalBytes(ordinal)]);
      if (mark === undefined) return { type: 'delete', key };
      const { since, usedBytes, chunkBytes } = mark;
      const value = concat([since, usedBytes, chunkBytes].map(ordinalBytes));
      return { type: 'put', key, value };
    });
    if (operations.length === 0) return;
    await this.#store.batch(operations, { durable: true });
    for (const [ordinal, mark] of changes) {
      if (mark === undefined) this.#marks.delete(ordinal);
      else this.#marks.set(ordinal, mark);
    }
  }

  /** Until `avoidNone`, chunks in these packs count as not stored. */
  avoid(ordinals: Iterable<number>): void {
    for (const ordinal of ordinals) this.#avoided.add(ordinal);
  }

  avoidNone(): void {
    this.#avoided.clear();
  }

  isAvoided(ordinal: number): boolean {
    return this.#avoided.has(ordinal);
  }
}
