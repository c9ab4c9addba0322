import { assert } from '../../base/assert.ts';
import { leafCountOf, type ShardHead, shardSizeOf } from '../../core/format/shard.ts';
import { bytesBefore, takeLeaves } from '../../core/format/shard-leaves.ts';
import type { ShardWriter } from '../../ports/shard-store.ts';

/** A shard of which some leaves are here: `bytes` has room for its whole object, and holds its head already. */
export type PartialObject = {
  readonly bytes: Uint8Array;
  readonly offset: number;
  nextLeaf: number;
};

export type ObjectWriterEnd = {
  /** All leaves are there. */
  readonly publish: (object: Uint8Array) => Promise<void>;
  /** Kept for whoever goes on. */
  readonly keep: (partial: PartialObject) => void;
  /** Called once, whatever happened. */
  readonly release: () => void;
};

/** Gathers the checked leaves of one shard in memory: objects are written whole. */
export class ObjectWriter implements ShardWriter {
  readonly #head: ShardHead;
  readonly #partial: PartialObject;
  readonly #end: ObjectWriterEnd;
  #isOpen = true;

  constructor(head: ShardHead, partial: PartialObject, end: ObjectWriterEnd) {
    this.#head = head;
    this.#partial = partial;
    this.#end = end;
  }

  get nextLeaf(): number {
    return this.#partial.nextLeaf;
  }

  async append(bytes: Uint8Array, { isOwn = false } = {}): Promise<void> {
    assert(this.#isOpen, 'a shard writer is not used after its end');
    const { nextLeaf, offset } = this.#partial;
    const next = takeLeaves(this.#head, nextLeaf, bytes, { isOwn });
    this.#partial.bytes.set(bytes, offset + bytesBefore(this.#head, nextLeaf));
    this.#partial.nextLeaf = next;
  }

  async finish(): Promise<void> {
    assert(this.#isOpen, 'a shard writer is not used after its end');
    assert(this.nextLeaf === leafCountOf(this.#head), 'a shard is finished after its last leaf');
    this.#isOpen = false;
    try {
      await this.#end.publish(this.#partial.bytes);
    } catch (error) {
      this.#end.keep(this.#partial);
      throw error;
    } finally {
      this.#end.release();
    }
  }

  async abandon(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#end.keep(this.#partial);
    this.#end.release();
  }
}

/** A shard of which no leaf is here yet. */
export function newPartial(head: ShardHead, fileHead: Uint8Array): PartialObject {
  const bytes = new Uint8Array(fileHead.length + shardSizeOf(head));
  bytes.set(fileHead);
  return { bytes, offset: fileHead.length, nextLeaf: 0 };
}

/** For a shard that is there already. */
export function finishedWriter(head: ShardHead): ShardWriter {
  return {
    nextLeaf: leafCountOf(head),
    append: async (bytes) => assert(bytes.length === 0, 'a finished shard takes no leaves'),
    finish: async () => undefined,
    abandon: async () => undefined,
  };
}
