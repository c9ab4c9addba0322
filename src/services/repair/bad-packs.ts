import { fromUtf8, utf8 } from '../../base/bytes.ts';
import type { AgentKey, DatasetId, PackId } from '../../core/ids.ts';
import type { RecordStore } from '../../ports/record-store.ts';

/**
 * A pack whose shards do not belong together. Whoever holds these k shards can see it again: each of them fits its
 * root in the pack id, and the one that they make does not.
 */
export type BadPack = {
  readonly pack: PackId;
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  /** Shards that were read, all of them as the pack id says. */
  readonly from: readonly number[];
  /** The shard that they make, with the root that it has; hexadecimal. */
  readonly index: number;
  readonly root: string;
};

const recordName = 'repair-bad-packs';
/** Of a malicious source there may be many; the first ones prove it. */
const badPacksMax = 128;

/** Wrongly encoded packs that were found here, remembered over restarts. */
export class BadPacks {
  readonly #records: RecordStore;
  readonly #packs = new Map<PackId, BadPack>();

  private constructor(records: RecordStore) {
    this.#records = records;
  }

  /** @throws HoldfastError corrupt | io-error */
  static async read(records: RecordStore): Promise<BadPacks> {
    const book = new BadPacks(records);
    const record = await records.read(recordName);
    const text = record === undefined ? '[]' : (fromUtf8(record) ?? '[]');
    for (const bad of JSON.parse(text) as BadPack[]) book.#packs.set(bad.pack, bad);
    return book;
  }

  has(pack: PackId): boolean {
    return this.#packs.has(pack);
  }

  all(): readonly BadPack[] {
    return [...this.#packs.values()];
  }

  /** Durable when resolved, as far as there is room. */
  async add(bad: BadPack): Promise<void> {
    if (this.#packs.has(bad.pack)) return;
    this.#packs.set(bad.pack, bad);
    const kept = [...this.#packs.values()].slice(0, badPacksMax);
    await this.#records.write(recordName, utf8(JSON.stringify(kept)));
  }
}
