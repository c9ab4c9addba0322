import { mapLimit } from '../base/concurrency.ts';
import { MiB } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Extent, TreeEntry } from '../core/format/tree.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { SnapshotReader } from './snapshot-reader.ts';

/** A chunk of a file, or a hole when `id` is undefined, and where it stands in the file. */
export type PlacedExtent = Extent & { readonly offset: number };

/** Content of one file read ahead while the part before is written. */
const batchBytesMax = 8 * MiB;
/** Extent lists are short records, but a file of tiny chunks has many. */
const batchCountMax = 1024;
/** Chunks of one file opened at once. */
const chunksUnderWayMax = 8;

/** Reads the contents of files. */
export class FileContent {
  readonly #reader: SnapshotReader;

  constructor(reader: SnapshotReader) {
    this.#reader = reader;
  }

  /**
   * All of a file that has no holes; may be a view of a shared frame.
   * @throws HoldfastError as SnapshotReader.chunk and .extents
   */
  async whole(entry: TreeEntry, options: Cancel): Promise<Uint8Array> {
    const [first, second] = entry.content;
    if (first !== undefined && second === undefined && first.length === entry.size) {
      return this.bytes(first, options);
    }
    const content = new Uint8Array(entry.size);
    for await (const batch of this.batches(entry, options)) {
      await this.write(batch, options, async (offset, bytes) => content.set(bytes, offset));
    }
    return content;
  }

  /**
   * A file's extents in order, in groups. The chunks of a group are being read when it is given out, and
   * those of the next one when the group is taken.
   */
  async *batches(entry: TreeEntry, options: Cancel): AsyncGenerator<PlacedExtent[]> {
    let ready: PlacedExtent[] | undefined;
    for await (const batch of this.#grouped(entry, options)) {
      const refs = batch.flatMap(({ id }) => (id && this.#reader.find(id)) ?? []);
      this.#reader.prefetch(refs);
      if (ready !== undefined) yield ready;
      ready = batch;
    }
    if (ready !== undefined) yield ready;
  }

  async *#grouped(entry: TreeEntry, options: Cancel): AsyncGenerator<PlacedExtent[]> {
    let batch: PlacedExtent[] = [];
    let bytes = 0;
    let offset = 0;
    for await (const extent of this.#reader.extents(entry, options)) {
      batch.push({ ...extent, offset });
      offset += extent.length;
      if (extent.id !== undefined) bytes += extent.length;
      if (bytes < batchBytesMax && batch.length < batchCountMax) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  /** Hands each chunk of a group to `put`, in any order, several at once; holes are passed over. */
  async write(
    batch: readonly PlacedExtent[],
    options: Cancel,
    put: (offset: number, bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    await mapLimit(batch, chunksUnderWayMax, async (extent) => {
      if (extent.id !== undefined) await put(extent.offset, await this.bytes(extent, options));
    });
  }

  /** The bytes of an extent that is a chunk. */
  async bytes({ id, length }: Extent, options: Cancel): Promise<Uint8Array> {
    if (id === undefined) throw new HoldfastError('corrupt', 'a hole has no bytes');
    const bytes = await this.#reader.chunk(id, options);
    if (bytes.length === length) return bytes;
    throw new HoldfastError('corrupt', 'a chunk is not as long as its file says');
  }
}
