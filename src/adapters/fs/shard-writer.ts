import type { FileHandle } from 'node:fs/promises';
import { assert } from '../../base/assert.ts';
import { leafCountOf, shardSizeOf } from '../../core/format/shard.ts';
import { bytesBefore, takeLeaves } from '../../core/format/shard-leaves.ts';
import { limits } from '../../core/limits.ts';
import type { ShardWriter } from '../../ports/shard-store.ts';
import { writeFully } from './file-access.ts';
import { type ParsedShard, readLeaves } from './shard-file.ts';
import { systemError } from './system-error.ts';

/** What the store does with a writer's file when it ends. */
export type WriterEnd = {
  /** All leaves are in the file, which is still open. */
  readonly publish: (file: FileHandle) => Promise<void>;
  /** Called once, whatever happened; the file is closed. */
  readonly release: () => void;
};

/**
 * Appends checked leaves to a partial file. The file always begins with its head and is good up to
 * `nextLeaf`; what stands after that is from an append that failed, and is written over or cut off.
 */
export class ShardFileWriter implements ShardWriter {
  readonly #file: FileHandle;
  readonly #shard: ParsedShard;
  readonly #path: string;
  readonly #end: WriterEnd;
  #nextLeaf: number;
  #isOpen = true;

  private constructor(
    file: FileHandle,
    options: { shard: ParsedShard; path: string; nextLeaf: number; end: WriterEnd },
  ) {
    this.#file = file;
    this.#shard = options.shard;
    this.#path = options.path;
    this.#nextLeaf = options.nextLeaf;
    this.#end = options.end;
  }

  /** Goes on after the leaves of `file` that are good; its head is that of `shard`. */
  static async resume(
    file: FileHandle,
    options: { shard: ParsedShard; path: string; end: WriterEnd },
  ): Promise<ShardFileWriter> {
    const nextLeaf = await countGoodLeaves(file, options.shard);
    await file.truncate(options.shard.offset + bytesBefore(options.shard.head, nextLeaf));
    return new ShardFileWriter(file, { ...options, nextLeaf });
  }

  get nextLeaf(): number {
    return this.#nextLeaf;
  }

  /** Bytes that are still to come. */
  get bytesLeft(): number {
    const { head } = this.#shard;
    return shardSizeOf(head) - bytesBefore(head, this.#nextLeaf);
  }

  async append(bytes: Uint8Array, { isOwn = false } = {}): Promise<void> {
    assert(this.#isOpen, 'a shard writer is not used after its end');
    const { head, offset } = this.#shard;
    const end = takeLeaves(head, this.#nextLeaf, bytes, { isOwn });
    const position = offset + bytesBefore(head, this.#nextLeaf);
    try {
      await writeFully(this.#file, position, bytes);
    } catch (error) {
      throw systemError(error, `write ${this.#path}`);
    }
    this.#nextLeaf = end;
  }

  async finish(): Promise<void> {
    assert(this.#isOpen, 'a shard writer is not used after its end');
    assert(this.bytesLeft === 0, 'a shard is finished after its last leaf');
    this.#isOpen = false;
    try {
      await this.#end.publish(this.#file);
    } finally {
      await this.#close();
    }
  }

  async abandon(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#close();
  }

  async #close(): Promise<void> {
    try {
      await this.#file.close();
    } finally {
      this.#end.release();
    }
  }
}

/** For a shard that is there already. */
export function finishedWriter(head: ParsedShard['head']): ShardWriter {
  return {
    nextLeaf: leafCountOf(head),
    append: async (bytes) => assert(bytes.length === 0, 'a finished shard takes no leaves'),
    finish: async () => undefined,
    abandon: async () => undefined,
  };
}

async function countGoodLeaves(file: FileHandle, shard: ParsedShard): Promise<number> {
  const count = leafCountOf(shard.head);
  for (let leaf = 0; leaf < count; leaf += limits.pullLeavesMax) {
    const read = await readLeaves(file, shard, leaf, limits.pullLeavesMax);
    if (!(read instanceof Uint8Array)) return read.leaf;
  }
  return count;
}
