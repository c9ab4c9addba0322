import { Turn } from '../base/turn.ts';
import { KeyedHasher } from '../core/crypto/hash.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import { encodeIndexSegment, indexSegmentRecordsMax } from '../core/format/index-segment.ts';
import type { Clock } from '../ports/runtime.ts';
import type { DatasetIndex, KnownSegment } from './dataset-index.ts';
import type { PackWriter, WrittenPack } from './pack-writer.ts';
import { blobOf } from './pack-writer.ts';

export type IndexWriterOptions = {
  readonly index: DatasetIndex;
  /** Of the dataset's chunk ids. */
  readonly idKey: Uint8Array;
  readonly clock: Clock;
  readonly openWriter: (onPack: (written: WrittenPack) => void) => PackWriter;
  /** Makes a pack's shards durable, and counts it as needed by the snapshot. */
  readonly place: (written: WrittenPack) => Promise<void>;
};

export type WrittenSegments = {
  /** What the snapshot's root shall name. */
  readonly all: readonly KnownSegment[];
  readonly added: readonly KnownSegment[];
  readonly removed: readonly number[];
};

/** Index segments smaller than half their bound are merged once there are more than this. */
const smallSegmentsMax = 16;

/** Writes what a snapshot names by place: its index segments and its root, in metadata packs of their own. */
export class IndexWriter {
  readonly #options: IndexWriterOptions;

  constructor(options: IndexWriterOptions) {
    this.#options = options;
  }

  /** Each blob has at most limits.frameSizeMax bytes. They are taken one by one, as there is room. */
  async writeBlobs(blobs: Iterable<Uint8Array>): Promise<IndexRecord[]> {
    const { idKey, openWriter, place, index, clock } = this.#options;
    const hasher = new KeyedHasher(idKey);
    const found = new Map<string, IndexRecord>();
    const waiting: WrittenPack[] = [];
    const settle = async (): Promise<void> => {
      for (let pack = waiting.shift(); pack !== undefined; pack = waiting.shift()) {
        await place(pack);
        // No records: nobody looks these blobs up by their content.
        await index.addPack(pack.ordinal, pack.entry, [], pack.keyEpoch);
        for (const record of pack.records) found.set(String(record.id), record);
      }
    };
    const writer = openWriter((written) => waiting.push(written));
    const ids: Uint8Array[] = [];
    const turn = new Turn(clock);
    for (const blob of blobs) {
      if (turn.isOver) await turn.end();
      const id = hasher.hash(blob);
      ids.push(id);
      writer.add(id, blob);
      await settle();
    }
    await writer.flush();
    await settle();
    return ids.map((id) => found.get(String(id)) as IndexRecord);
  }

  /** Brings every chunk that is stored into an index segment; merges small segments now and then. */
  async writeSegments(): Promise<WrittenSegments> {
    const { index } = this.#options;
    const segments = index.segments();
    const small = segments.filter((segment) => segment.count < indexSegmentRecordsMax / 2);
    const merged = small.length > smallSegmentsMax ? small : [];
    const ordinals = merged.flatMap((segment) => segment.packs);
    for (const pack of index.packs()) if (!pack.isIndexed) ordinals.push(pack.ordinal);
    const groups = this.#groupPacks(ordinals);
    const records = await this.writeBlobs(this.#encode(groups));
    const first = index.nextSegmentNumber();
    const added = groups.map(({ packs, count }, i) => ({
      number: first + i,
      blob: blobOf(records[i] as IndexRecord),
      count,
      packs,
    }));
    const removed = merged.map((segment) => segment.number);
    const kept = segments.filter((segment) => !removed.includes(segment.number));
    return { all: [...kept, ...added], added, removed };
  }

  *#encode(groups: readonly { packs: readonly number[] }[]): Generator<Uint8Array> {
    for (const { packs } of groups) {
      yield encodeIndexSegment(packs.flatMap((ordinal) => this.#options.index.records(ordinal)));
    }
  }

  /** Packs in order, as many to a segment as its bound allows. */
  #groupPacks(ordinals: readonly number[]): { packs: number[]; count: number }[] {
    const groups: { packs: number[]; count: number }[] = [];
    for (const ordinal of ordinals) {
      const count = this.#options.index.sizes(ordinal).chunks;
      const last = groups.at(-1);
      if (last === undefined || last.count + count > indexSegmentRecordsMax) {
        groups.push({ packs: [ordinal], count });
      } else {
        last.packs.push(ordinal);
        last.count += count;
      }
    }
    return groups;
  }
}
