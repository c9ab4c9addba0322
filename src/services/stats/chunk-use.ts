import { assert } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';
import { IndexTable } from '../../core/format/index-table.ts';
import type { BlobRef } from '../../core/format/records.ts';
import { decodeEntries, decodeExtents } from '../../core/format/tree.ts';
import type { PackId } from '../../core/ids.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { FrameReader } from '../frame-reader.ts';
import { readBlob, type SnapshotReader } from '../snapshot-reader.ts';

/** What lies in the packs of some snapshots, and how much of it any of them needs. */
export type ChunkUse = {
  readonly chunks: number;
  readonly chunkBytes: number;
  /** Of the sealed frames that the chunks lie in. */
  readonly frameBytes: number;
  readonly deadChunks: number;
  readonly deadChunkBytes: number;
  /** Their part of the sealed frames. */
  readonly deadFrameBytes: number;
};

type Frame = { sealed: number; bytes: number; dead: number };

/**
 * Counts which chunks snapshots refer to. Takes one snapshot after the other; a directory that several share is walked
 * once, so all cost what their metadata costs together. Memory: a record and a bit for each chunk.
 */
export class ChunkUseCount {
  readonly #table = new IndexTable();
  readonly #segments = new Set<string>();
  #used = new Uint8Array(1024);

  /** @throws HoldfastError corrupt | too-few-shards | not-found | bad-encoding */
  async add(
    { reader, frames }: { reader: SnapshotReader; frames: Pick<FrameReader, 'frame'> },
    options: Cancel,
  ): Promise<void> {
    for (const { blob } of reader.root.index) {
      if (this.#isKnown(blob)) continue;
      this.#table.add(await readBlob(frames, blob, options));
    }
    this.#grow();
    const directories: (readonly Uint8Array[])[] = [reader.root.tree];
    for (let tree = directories.pop(); tree !== undefined; tree = directories.pop()) {
      for (const id of tree) {
        options.signal?.throwIfAborted();
        // Met before, with everything below it.
        if (this.#use(id)) continue;
        for (const { content, contentList, tree: below } of decodeEntries(
          await reader.chunk(id, options),
        )) {
          for (const { id: chunk } of content) if (chunk !== undefined) this.#use(chunk);
          for (const list of contentList) await this.#useList(reader, list, options);
          if (below.length > 0) directories.push(below);
        }
      }
    }
  }

  async #useList(reader: SnapshotReader, list: Uint8Array, options: Cancel): Promise<void> {
    if (this.#use(list)) return;
    for (const { id } of decodeExtents(await reader.chunk(list, options))) {
      if (id !== undefined) this.#use(id);
    }
  }

  #isKnown({ pack, frame, offset }: BlobRef): boolean {
    const name = `${pack}/${frame}/${offset}`;
    if (this.#segments.has(name)) return true;
    this.#segments.add(name);
    return false;
  }

  #grow(): void {
    const size = Math.ceil(this.#table.recordCount / 8);
    if (size <= this.#used.length) return;
    const before = this.#used;
    this.#used = new Uint8Array(Math.max(size, before.length * 2));
    this.#used.set(before);
  }

  /** @returns whether it was in use before. */
  #use(id: Uint8Array): boolean {
    const number = this.#table.numberOf(id);
    if (number === undefined) {
      throw new HoldfastError('corrupt', 'the index of a snapshot lacks a chunk of it');
    }
    const was = this.#isUsed(number);
    this.#used[number >> 3] = (this.#used[number >> 3] as number) | (1 << (number & 7));
    return was;
  }

  #isUsed(number: number): boolean {
    return (((this.#used[number >> 3] as number) >> (number & 7)) & 1) === 1;
  }

  /** Over those packs that `isCounted`. */
  result(isCounted: (pack: PackId) => boolean): ChunkUse {
    const frames = new Map<string, Frame>();
    let chunks = 0;
    let deadChunks = 0;
    for (let number = 0; number < this.#table.recordCount; number++) {
      const record = this.#table.recordAt(number);
      // Of a chunk that several segments locate, the first counts.
      if (!isCounted(record.pack) || this.#table.numberOf(record.id) !== number) continue;
      const name = `${record.pack}/${record.frame}`;
      const frame = frames.get(name) ?? { sealed: record.frameSize, bytes: 0, dead: 0 };
      frames.set(name, frame);
      chunks++;
      frame.bytes += record.length;
      if (this.#isUsed(number)) continue;
      deadChunks++;
      frame.dead += record.length;
    }
    return { chunks, deadChunks, ...summed(frames.values()) };
  }
}

function summed(
  frames: Iterable<Frame>,
): Pick<ChunkUse, 'chunkBytes' | 'frameBytes' | 'deadChunkBytes' | 'deadFrameBytes'> {
  const sum = { chunkBytes: 0, frameBytes: 0, deadChunkBytes: 0, deadFrameBytes: 0 };
  for (const { sealed, bytes, dead } of frames) {
    assert(dead <= bytes, 'no more is dead than there is');
    sum.chunkBytes += bytes;
    sum.frameBytes += sealed;
    sum.deadChunkBytes += dead;
    sum.deadFrameBytes += Math.round((sealed * dead) / bytes);
  }
  return sum;
}
