import { latin1 } from '../base/bytes.ts';
import type { PackType } from '../core/format/frame.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { PackWriter, WrittenPack } from './pack-writer.ts';

export type ContentSinkOptions = {
  readonly index: DatasetIndex;
  readonly writers: Readonly<
    Record<PackType, Pick<PackWriter, 'add' | 'flush' | 'bytesInProgress'>>
  >;
  /** Makes a pack's shards durable, on peers or in the outbox. */
  readonly place: (pack: WrittenPack) => Promise<void>;
  /** A pack has become durable, and its chunks are known to the index. */
  readonly onDurable?: () => Promise<void>;
  /** Bytes that may be being sealed, coded and sent at once, beside the packs that are open. */
  readonly bytesInFlightMax: number;
};

export type StoredChunk = { readonly ordinal: number; readonly isNew: boolean };

/**
 * Where chunks go: recognises those that are stored already, hands the others to the pack writers, and
 * knows which packs have become durable.
 */
export class ContentSink {
  readonly #options: ContentSinkOptions;
  /** Chunks in packs that are not durable yet. */
  readonly #pending = new Map<string, number>();
  readonly #undurable = new Set<number>();
  readonly #placing = new Set<Promise<void>>();
  #bytesPlacing = 0;
  #waiting: (() => void)[] = [];
  #failure: unknown;
  packsWritten = 0;
  bytesWritten = 0;
  chunksNew = 0;
  /** Plain bytes of new chunks of files; of those in finished packs, what compression could not shrink. */
  bytesNew = 0;
  bytesDense = 0;

  constructor(options: ContentSinkOptions) {
    this.#options = options;
  }

  /** Takes a copy of the bytes when they are new. */
  store(type: PackType, id: Uint8Array, bytes: Uint8Array): StoredChunk {
    if (this.#failure !== undefined) throw this.#failure;
    const name = latin1(id);
    const known = this.#pending.get(name) ?? this.#options.index.find(id);
    if (known !== undefined) return { ordinal: known, isNew: false };
    const ordinal = this.#options.writers[type].add(id, bytes);
    this.#pending.set(name, ordinal);
    this.#undurable.add(ordinal);
    this.chunksNew++;
    if (type === 'data') this.bytesNew += bytes.length;
    return { ordinal, isNew: true };
  }

  /** Resolves when there is room for more. Call before each batch of chunks. */
  async ready(): Promise<void> {
    while (this.#bytesInFlight() > this.#options.bytesInFlightMax && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    await this.#options.index.rememberIds();
  }

  #bytesInFlight(): number {
    const { data, metadata } = this.#options.writers;
    return data.bytesInProgress + metadata.bytesInProgress + this.#bytesPlacing;
  }

  /** Something that was in flight is no longer: whoever waits looks again. */
  progress(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** A pack writer has finished a pack. */
  accept(written: WrittenPack): void {
    // Equal shards are one array.
    const shards = [...new Set(written.encoded.shards)];
    const bytes = shards.reduce((sum, shard) => sum + shard.length, 0);
    this.#bytesPlacing += bytes;
    const work = this.#place(written)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#placing.delete(work);
        this.#bytesPlacing -= bytes;
        this.progress();
      });
    this.#placing.add(work);
  }

  async #place(written: WrittenPack): Promise<void> {
    await this.#options.place(written);
    const { ordinal, entry, records, keyEpoch } = written;
    await this.#options.index.addPack(ordinal, entry, records, keyEpoch);
    this.packsWritten++;
    this.bytesWritten += written.entry.size;
    if (written.entry.type === 'data') this.bytesDense += written.bytesDense;
    this.#undurable.delete(written.ordinal);
    for (const record of written.records) this.#pending.delete(latin1(record.id));
    await this.#options.onDurable?.();
  }

  isDurable(ordinal: number): boolean {
    return !this.#undurable.has(ordinal);
  }

  /** Finishes all packs of one type, and waits until every pack handed over is durable. */
  async flush(type: PackType): Promise<void> {
    await this.#options.writers[type].flush();
    while (this.#placing.size > 0) await Promise.all(this.#placing);
    if (this.#failure !== undefined) throw this.#failure;
  }
}
