import { assert } from '../base/assert.ts';
import { concat } from '../base/bytes.ts';
import { hash } from '../core/crypto/hash.ts';
import { codeOf } from '../core/errors.ts';
import { type CatalogRecord, decodeCatalogRecord } from '../core/format/catalog-record.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import {
  decodeIndexSegment,
  encodeIndexSegment,
  openIndexSegment,
  segmentSizes,
} from '../core/format/index-segment.ts';
import type { BlobRef } from '../core/format/records.ts';
import type { DatasetId, PackId } from '../core/ids.ts';
import { idBytes } from '../core/ids.ts';
import type { KeyValue, KeyValueOperation } from '../ports/key-value.ts';
import { ChunkTable } from './chunk-table.ts';
import {
  bounds,
  decodePack,
  decodeSegment,
  encodePack,
  encodeSegment,
  numberIn,
  ordinalBytes,
  ordinalOf,
} from './dataset-index-codec.ts';
import { MostlyDeadPacks } from './mostly-dead-packs.ts';
import { UnsignedPacks } from './unsigned-packs.ts';

/** A pack that this source has written for a dataset and that is durable somewhere. */
export type KnownPack = {
  readonly ordinal: number;
  readonly entry: PackEntry;
  /** Its chunks are in an index segment that a snapshot's root names. */
  readonly isIndexed: boolean;
  /** Key epoch that it is sealed to. */
  readonly keyEpoch: number;
};

/** An index segment that the next snapshot's root will name. */
export type KnownSegment = {
  readonly number: number;
  readonly blob: BlobRef;
  readonly count: number;
  readonly packs: readonly number[];
};

/** Of a pack's chunks, in one batch. */
const chunksAtOnce = 1000;
/** So many cost nothing worth mentioning. */
const lookupsMin = 1000;

/** In place of a pack that was lost. The other flags: 0 to be listed in an index segment, 1 listed. */
const forgottenFlag = 2;

/**
 * A source's memory of one dataset: which chunks lie where, which packs exist, what each directory held.
 * Everything here may be lost: the next backup then reads and sends again what it can no longer recognise.
 *
 * Keys: dataset id (16), kind (1), then
 *   c ‖ chunk id          -> pack ordinal (4)
 *   p ‖ ordinal (4)       -> flags (1), k, m, type (1 each), size (4), pack id (32), index segment of the pack;
 *                            of a pack that was lost the flags alone
 *   h ‖ H_path(path)      -> catalog record (d ‖ ... is of an older format, and not read)
 *   s ‖ number (4)        -> blob reference, count, ordinals
 *   e ‖ ordinal (4)       -> key epoch of the pack (4), unless it is the first
 *   w ‖ ordinal (4)       -> of a mostly dead pack, see MostlyDeadPacks
 *   u ‖ ordinal (4)       -> of a pack that no snapshot names yet, see UnsignedPacks
 *   f                     -> key epoch (4): packs of older ones are not used any more
 */
export class DatasetIndex {
  readonly #store: KeyValue;
  readonly #prefix: Uint8Array;
  readonly #packs = new Map<number, KnownPack>();
  readonly #ordinals = new Map<PackId, number>();
  readonly #segments = new Map<number, KnownSegment>();
  readonly #epochs = new Map<number, number>();
  readonly #chunkBytes = new Map<number, number>();
  readonly mostlyDead: MostlyDeadPacks;
  readonly unsigned: UnsignedPacks;
  #freshFrom = 1;
  /** Ids of all chunks in the store, while a backup looks for many. */
  #table: { readonly ids: ChunkTable; isComplete: boolean } | undefined;
  #lookups = 0;
  #nextOrdinal = 1;

  private constructor(store: KeyValue, dataset: DatasetId) {
    this.#store = store;
    this.#prefix = idBytes(dataset);
    this.mostlyDead = new MostlyDeadPacks(store, this.#key(bounds.mostlyDead));
    this.unsigned = new UnsignedPacks(store, this.#key(bounds.unsigned));
  }

  /** Loads the pack and segment tables; chunks and directories stay in the store. */
  static async open(store: KeyValue, dataset: DatasetId): Promise<DatasetIndex> {
    const index = new DatasetIndex(store, dataset);
    for await (const { key, value } of index.#range(bounds.epoch)) {
      index.#epochs.set(ordinalOf(key), numberIn(value));
    }
    for await (const { value } of index.#range(bounds.fresh)) index.#freshFrom = numberIn(value);
    for await (const { key, value } of index.#range(bounds.pack)) index.#loadPack(key, value);
    for await (const { key, value } of index.#range(bounds.segment)) {
      const segment = decodeSegment(ordinalOf(key), value);
      index.#segments.set(segment.number, segment);
    }
    await index.mostlyDead.load(index.#range(bounds.mostlyDead));
    await index.unsigned.load(index.#range(bounds.unsigned));
    return index;
  }

  #range(kind: number): AsyncIterable<{ key: Uint8Array; value: Uint8Array }> {
    return this.#store.range(this.#key(kind), this.#key(kind + 1));
  }

  #key(kind: number, rest: Uint8Array = new Uint8Array(0)): Uint8Array {
    return concat([this.#prefix, Uint8Array.of(kind), rest]);
  }

  #loadPack(key: Uint8Array, value: Uint8Array): void {
    const ordinal = ordinalOf(key);
    this.#nextOrdinal = Math.max(this.#nextOrdinal, ordinal + 1);
    if (value[0] === forgottenFlag) return;
    const pack = { ordinal, keyEpoch: this.#epochs.get(ordinal) ?? 1, ...decodePack(value) };
    this.#packs.set(ordinal, pack);
    this.#ordinals.set(pack.entry.pack, ordinal);
  }

  /**
   * A number for a pack about to be written. A number whose pack is never finished may be given again after a
   * restart: so nothing that names an ordinal is stored before its pack is (rememberDirectories).
   */
  takeOrdinal(): number {
    return this.#nextOrdinal++;
  }

  pack(ordinal: number): KnownPack | undefined {
    return this.#packs.get(ordinal);
  }

  readonly ordinalOf = (pack: PackId): number | undefined => this.#ordinals.get(pack);

  packs(): Iterable<KnownPack> {
    return this.#packs.values();
  }

  segments(): KnownSegment[] {
    return [...this.#segments.values()];
  }

  /** The pack that a chunk lies in, or undefined when it has to be stored. */
  find(id: Uint8Array): number | undefined {
    this.#lookups++;
    if (this.#table?.isComplete === true && !this.#table.ids.mayHave(id)) return undefined;
    const value = this.#store.get(this.#key(bounds.chunk, id));
    if (value === undefined) return undefined;
    const ordinal = new DataView(value.buffer, value.byteOffset).getUint32(0);
    return this.isUsable(ordinal) ? ordinal : undefined;
  }

  /** A snapshot under way may build on the pack. */
  isUsable(ordinal: number): boolean {
    return this.#packs.has(ordinal) && !this.mostlyDead.isAvoided(ordinal);
  }

  /**
   * Brings the ids of all chunks into memory once looking them up on disk has cost as much; call it now and then during
   * a backup. `forgetIds` lets go of them.
   */
  async rememberIds(): Promise<void> {
    const known = this.segments().reduce((sum, { count }) => sum + count, 0);
    if (this.#table !== undefined || this.#lookups < Math.max(lookupsMin, known / 3)) return;
    const table = { ids: new ChunkTable(known), isComplete: false };
    this.#table = table;
    const start = this.#prefix.length + 1;
    for await (const { key } of this.#range(bounds.chunk)) table.ids.add(key.subarray(start));
    table.isComplete = true;
  }

  forgetIds(): void {
    this.#table = undefined;
    this.#lookups = 0;
  }

  /** Records a pack whose shards are all durable, here in the outbox or on peers. Survives power loss. */
  async addPack(
    ordinal: number,
    entry: PackEntry,
    records: readonly IndexRecord[],
    keyEpoch = 1,
  ): Promise<void> {
    assert(!this.#packs.has(ordinal), 'pack ordinal taken twice');
    const isIndexed = records.length === 0;
    const pack = { ordinal, entry, isIndexed, keyEpoch };
    const operations = [this.#packOperation(pack, encodeIndexSegment(records))];
    if (keyEpoch > 1) {
      const key = this.#key(bounds.epoch, ordinalBytes(ordinal));
      operations.push({ type: 'put', key, value: ordinalBytes(keyEpoch) });
    }
    // First the pack, then what points to it, and little at a time: both take this thread from everybody else.
    await this.#store.batch(operations, { durable: records.length === 0 });
    for (let i = 0; i < records.length; i += chunksAtOnce) {
      const some = records.slice(i, i + chunksAtOnce);
      const isLast = i + chunksAtOnce >= records.length;
      await this.#store.batch(this.#chunkOperations(ordinal, some), { durable: isLast });
    }
    for (const { id } of records) this.#table?.ids.add(id);
    this.#packs.set(ordinal, pack);
    this.#ordinals.set(entry.pack, ordinal);
  }

  #chunkOperations(ordinal: number, records: readonly IndexRecord[]): KeyValueOperation[] {
    const value = ordinalBytes(ordinal);
    return records.map(({ id }) => ({ type: 'put', key: this.#key(bounds.chunk, id), value }));
  }

  #packOperation(pack: KnownPack, segment: Uint8Array): KeyValueOperation {
    const key = this.#key(bounds.pack, ordinalBytes(pack.ordinal));
    return { type: 'put', key, value: concat([encodePack(pack), segment]) };
  }

  /**
   * Packs that cannot be rebuilt any more: their chunks are stored anew when they are met again. Their
   * ordinals stay taken, since chunks and directories still name them.
   */
  async forgetPacks(packs: readonly PackId[]): Promise<void> {
    const lost = new Set(packs);
    const ordinals = new Set(packs.flatMap((pack) => this.#ordinals.get(pack) ?? []));
    // A segment that lies in a lost pack is lost; one that lists a lost pack would hide the new place of a chunk.
    const segments = this.segments().filter(
      (segment) =>
        lost.has(segment.blob.pack) || segment.packs.some((ordinal) => ordinals.has(ordinal)),
    );
    const toList = segments
      .flatMap((segment) => segment.packs)
      .flatMap((ordinal) => this.#packs.get(ordinal) ?? [])
      .filter(({ ordinal }) => !ordinals.has(ordinal))
      .map((pack) => ({ ...pack, isIndexed: false }));
    await this.#store.batch(this.#forgetting(ordinals, segments, toList), { durable: true });
    for (const { number } of segments) this.#segments.delete(number);
    for (const pack of toList) this.#packs.set(pack.ordinal, pack);
    for (const pack of packs) this.#ordinals.delete(pack);
    for (const ordinal of ordinals) this.#packs.delete(ordinal);
  }

  /**
   * The same packs under the ids of another code: their chunks and directories name them by ordinals, which stay. Lists
   * that name the old ids are written anew with the next snapshot. Survives power loss.
   */
  async recodePacks(
    recoded: readonly { ordinal: number; entry: PackEntry; records: readonly IndexRecord[] }[],
  ): Promise<void> {
    if (recoded.length === 0) return;
    const ordinals = new Set(recoded.map(({ ordinal }) => ordinal));
    const segments = this.segments().filter(({ packs }) => packs.some((one) => ordinals.has(one)));
    const toList = segments
      .flatMap(({ packs }) => packs)
      .flatMap((ordinal) => this.#packs.get(ordinal) ?? [])
      .filter(({ ordinal }) => !ordinals.has(ordinal))
      .map((pack) => ({ ...pack, isIndexed: false }));
    const anew = recoded.map(({ ordinal, entry }): KnownPack => {
      const known = this.#packs.get(ordinal);
      assert(known !== undefined, 'a pack that gets another code is known');
      return { ...known, entry, isIndexed: false };
    });
    const operations = this.#forgetting([], segments, toList);
    for (const [i, pack] of anew.entries()) {
      operations.push(this.#packOperation(pack, encodeIndexSegment(recoded[i]?.records ?? [])));
    }
    await this.#store.batch(operations, { durable: true });
    for (const { number } of segments) this.#segments.delete(number);
    for (const pack of toList) this.#packs.set(pack.ordinal, pack);
    for (const pack of anew) {
      const before = this.#packs.get(pack.ordinal)?.entry.pack;
      if (before !== undefined) this.#ordinals.delete(before);
      this.#packs.set(pack.ordinal, pack);
      this.#ordinals.set(pack.entry.pack, pack.ordinal);
    }
  }

  #forgetting(
    ordinals: Iterable<number>,
    segments: readonly KnownSegment[],
    toList: readonly KnownPack[],
  ): KeyValueOperation[] {
    const operations: KeyValueOperation[] = [];
    for (const ordinal of ordinals) {
      const key = this.#key(bounds.pack, ordinalBytes(ordinal));
      operations.push({ type: 'put', key, value: Uint8Array.of(forgottenFlag) });
    }
    for (const { number } of segments) {
      operations.push({ type: 'delete', key: this.#key(bounds.segment, ordinalBytes(number)) });
    }
    for (const pack of toList) {
      const value = this.#store.get(this.#key(bounds.pack, ordinalBytes(pack.ordinal)));
      if (value !== undefined) operations.push(this.#packOperation(pack, value.subarray(40)));
    }
    return operations;
  }

  /** The next backup stores anew what lies in packs of older key epochs. Survives power loss. */
  async startAfresh(keyEpoch: number): Promise<void> {
    const value = ordinalBytes(keyEpoch);
    await this.#store.batch([{ type: 'put', key: this.#key(bounds.fresh), value }], {
      durable: true,
    });
    this.#freshFrom = keyEpoch;
  }

  /** Packs that a snapshot may not build on: of key epochs before the fresh start, or that nobody can open. */
  stalePacks(isGone: (keyEpoch: number) => boolean): PackId[] {
    return [...this.#packs.values()]
      .filter(({ keyEpoch }) => keyEpoch < this.#freshFrom || isGone(keyEpoch))
      .map(({ entry }) => entry.pack);
  }

  /** The chunks of one pack. */
  records(ordinal: number): IndexRecord[] {
    if (!this.#packs.has(ordinal)) return [];
    const value = this.#store.get(this.#key(bounds.pack, ordinalBytes(ordinal)));
    return value === undefined ? [] : decodeIndexSegment(value.subarray(40));
  }

  /** Bytes of one pack's chunks, and of the sealed frames that they lie in. */
  sizes(ordinal: number): ReturnType<typeof segmentSizes> {
    const none = { chunks: 0, chunkBytes: 0, frameBytes: 0 };
    const value = this.#packs.has(ordinal)
      ? this.#store.get(this.#key(bounds.pack, ordinalBytes(ordinal)))
      : undefined;
    return value === undefined ? none : segmentSizes(openIndexSegment(value.subarray(40)));
  }

  /** Plain bytes of one data pack's chunks: asked for after each backup, and never another. */
  chunkBytes(ordinal: number): number | undefined {
    if (this.#packs.get(ordinal)?.entry.type !== 'data') return undefined;
    const bytes = this.#chunkBytes.get(ordinal) ?? this.sizes(ordinal).chunkBytes;
    this.#chunkBytes.set(ordinal, bytes);
    return bytes;
  }

  /** Replaces segments by others, once a snapshot that names the new ones is signed. */
  async replaceSegments(removed: readonly number[], added: readonly KnownSegment[]): Promise<void> {
    const operations: KeyValueOperation[] = removed.map((number) => ({
      type: 'delete',
      key: this.#key(bounds.segment, ordinalBytes(number)),
    }));
    const nowIndexed: KnownPack[] = [];
    for (const segment of added) {
      const key = this.#key(bounds.segment, ordinalBytes(segment.number));
      operations.push({ type: 'put', key, value: encodeSegment(segment) });
      for (const ordinal of segment.packs) {
        const pack = this.#packs.get(ordinal);
        if (pack === undefined || pack.isIndexed) continue;
        const indexed = { ...pack, isIndexed: true };
        const value = this.#store.get(this.#key(bounds.pack, ordinalBytes(ordinal)));
        if (value !== undefined) operations.push(this.#packOperation(indexed, value.subarray(40)));
        nowIndexed.push(indexed);
      }
    }
    await this.#store.batch(operations, { durable: true });
    // After the batch: a pack taken for indexed whose segment was not kept would be missing in every later root.
    for (const pack of nowIndexed) this.#packs.set(pack.ordinal, pack);
    for (const number of removed) this.#segments.delete(number);
    for (const segment of added) this.#segments.set(segment.number, segment);
  }

  nextSegmentNumber(): number {
    return Math.max(0, ...this.#segments.keys()) + 1;
  }

  /**
   * What a directory held. Before an entry is reused, its packs must be known to be durable: `pack`.
   * A record that cannot be read counts as lost: the directory is read again.
   */
  directory(path: Uint8Array): CatalogRecord | undefined {
    const value = this.#store.get(this.#key(bounds.catalog, hash('path', path)));
    if (value === undefined) return undefined;
    try {
      return decodeCatalogRecord(value);
    } catch (error) {
      if (codeOf(error) === 'bad-encoding') return undefined;
      throw error;
    }
  }

  /** @param directories `encoded`: their records. Every pack that these name must have been added before. */
  async rememberDirectories(
    directories: readonly { path: Uint8Array; encoded: Uint8Array }[],
  ): Promise<void> {
    await this.#store.batch(
      directories.map(({ path, encoded }) => ({
        type: 'put',
        key: this.#key(bounds.catalog, hash('path', path)),
        value: encoded,
      })),
    );
  }
}
