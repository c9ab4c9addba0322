import { assert } from '../../src/base/assert.ts';
import { concat } from '../../src/base/bytes.ts';
import { Semaphore } from '../../src/base/concurrency.ts';
import { codeOf, HoldfastError } from '../../src/core/errors.ts';
import {
  checkLeaf,
  decodeShardFileHead,
  encodeShardFileHead,
  leafCountOf,
  leafSizeAt,
  type ShardHead,
  shardSizeOf,
} from '../../src/core/format/shard.ts';
import type { PackId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { ShardStore, ShardWriter } from '../../src/ports/shard-store.ts';
import type { Life } from '../world.ts';
import { type Device, Trust } from './device.ts';
import { type PartialFile, type ShardFile, type ShardFiles, shardName } from './shard-files.ts';

export type SimShardsOptions = {
  readonly files: ShardFiles;
  readonly device: Device;
  readonly life: Life;
  /** How many bytes of shards have room. */
  readonly capacity: () => number;
};

/** The shard store of one run, as the adapter on real files behaves. */
export class SimShards implements ShardStore {
  readonly #files: ShardFiles;
  readonly #device: Device;
  readonly #life: Life;
  readonly #capacity: () => number;
  readonly #trust = new Trust();
  readonly #syncs = new Semaphore(1);
  readonly #turns = new Map<string, Semaphore>();
  #dirty = new Set<ShardFile>();

  constructor({ files, device, life, capacity }: SimShardsOptions) {
    this.#files = files;
    this.#device = device;
    this.#life = life;
    this.#capacity = capacity;
  }

  indexes(pack: PackId): readonly number[] {
    const found: number[] = [];
    for (let index = 0; index < limits.shardsMax; index++) {
      if (this.#files.files.has(shardName({ pack, index }))) found.push(index);
    }
    return found;
  }

  async head(pack: PackId, index: number): Promise<ShardHead> {
    await this.#device.pause(this.#life);
    return this.#parsed(this.#listed({ pack, index }));
  }

  async read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    await this.#device.pause(this.#life);
    const file = this.#listed({ pack, index });
    const head = this.#parsed(file);
    const end = Math.min(leaf + count, leafCountOf(head));
    for (let at = leaf; at < end; at++) {
      if (checkLeaf(head, at, leafOf(head, file.bytes, at))) continue;
      throw this.#setAside(file, at);
    }
    if (leaf >= end) return new Uint8Array(0);
    return file.bytes.slice(leaf * limits.leafSize, end * limits.leafSize);
  }

  async verify(pack: PackId, index: number): Promise<string | undefined> {
    try {
      const head = await this.head(pack, index);
      const file = this.#listed({ pack, index });
      if (file.bytes.length !== shardSizeOf(head)) throw this.#setAside(file, 0);
      await this.read(pack, index, 0, leafCountOf(head));
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'corrupt' || code === 'not-found') return (error as Error).message;
      throw error;
    }
  }

  #listed(name: { pack: PackId; index: number }): ShardFile {
    const file = this.#files.files.get(shardName(name));
    if (file !== undefined) return file;
    throw new HoldfastError('not-found', `shard ${shardName(name)} is not held here`);
  }

  #parsed(file: ShardFile): ShardHead {
    try {
      const { head } = decodeShardFileHead(file.head);
      if (head.pack === file.pack && head.index === file.index) return head;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
    throw this.#setAside(file, undefined);
  }

  /** A damaged shard is no longer listed. */
  #setAside(file: ShardFile, leaf: number | undefined): HoldfastError {
    const { pack, index } = file;
    this.#files.files.delete(shardName(file));
    this.#files.quarantined.add(shardName(file));
    this.#device.world.meet('damaged shard found and set aside');
    const details = leaf === undefined ? { pack, index } : { pack, index, leaf };
    const where = leaf === undefined ? 'its head' : `leaf ${leaf}`;
    return new HoldfastError('corrupt', `shard ${shardName(file)} is damaged: ${where}`, {
      details,
    });
  }

  async write(head: ShardHead): Promise<ShardWriter> {
    const fileHead = encodeShardFileHead(head);
    decodeShardFileHead(fileHead);
    const name = shardName(head);
    const turn = this.#turns.get(name) ?? new Semaphore(1);
    this.#turns.set(name, turn);
    const release = await turn.acquire();
    try {
      this.#trust.check();
      if (this.#files.files.has(name)) {
        release();
        return new SimShardWriter({
          head,
          partial: undefined,
          append: noMore,
          finish: async () => {},
        });
      }
      this.#refuseWhenFull(shardSizeOf(head));
      const partial = this.#resumed(name, head, fileHead);
      return new SimShardWriter({
        head,
        partial,
        append: async (bytes) => {
          if (this.#device.isFull)
            throw new HoldfastError('disk-full', 'the simulated disk is full');
          await this.#device.pause(this.#life);
          partial.bytes = concat([partial.bytes, bytes]);
        },
        finish: () => this.#publish(name, head, partial).finally(release),
        abandon: release,
      });
    } catch (error) {
      release();
      throw error;
    }
  }

  #refuseWhenFull(size: number): void {
    if (!this.#device.isFull && this.#files.bytes + size <= this.#capacity()) return;
    throw new HoldfastError('disk-full', 'the simulated disk has no room for the shard');
  }

  /** The good leaves of what was begun before. */
  #resumed(name: string, head: ShardHead, fileHead: Uint8Array): PartialFile {
    const before = this.#files.partial.get(name);
    const bytes = before === undefined ? new Uint8Array(0) : goodLeaves(head, before.bytes);
    if (bytes.length > 0) this.#device.world.meet('transfer of a shard resumed');
    const partial = { head: fileHead, bytes };
    this.#files.partial.set(name, partial);
    return partial;
  }

  async #publish(name: string, head: ShardHead, partial: PartialFile): Promise<void> {
    const { pack, index } = head;
    const file = { pack, index, head: partial.head, bytes: partial.bytes, isDurable: false };
    await this.#trust.of(
      this.#device.write(this.#life, () => {
        // A crash meanwhile leaves the partial file to `crash`.
        if (!this.#life.isAlive) return;
        this.#files.partial.delete(name);
        this.#files.files.set(name, file);
        this.#dirty.add(file);
      }),
    );
  }

  /** One at a time: the second must not be done before what the first has taken over is durable. */
  async sync(): Promise<void> {
    const release = await this.#syncs.acquire();
    try {
      this.#trust.check();
      const dirty = this.#dirty;
      this.#dirty = new Set();
      await this.#trust.of(
        this.#device.write(this.#life, () => {
          for (const file of dirty) file.isDurable = true;
        }),
      );
    } finally {
      release();
    }
  }

  async remove(pack: PackId, index: number): Promise<void> {
    await this.#device.pause(this.#life);
    this.#files.files.delete(shardName({ pack, index }));
    this.#files.partial.delete(shardName({ pack, index }));
  }

  async discard(pack: PackId, index: number): Promise<void> {
    const name = shardName({ pack, index });
    await this.#device.pause(this.#life);
    const file = this.#files.files.get(name);
    if (file === undefined) return;
    this.#files.files.delete(name);
    this.#files.trash.set(name, file);
  }

  async recover(pack: PackId, index: number): Promise<boolean> {
    const name = shardName({ pack, index });
    await this.#device.pause(this.#life);
    const file = this.#files.trash.get(name);
    this.#files.trash.delete(name);
    if (file !== undefined && !this.#files.files.has(name)) this.#files.files.set(name, file);
    return this.#files.files.has(name);
  }

  async purge(pack: PackId, index: number): Promise<void> {
    await this.#device.pause(this.#life);
    this.#files.trash.delete(shardName({ pack, index }));
  }

  trash(): readonly { pack: PackId; index: number; size: number }[] {
    return [...this.#files.trash.values()].map(({ pack, index, bytes }) => ({
      ...{ pack, index },
      size: bytes.length,
    }));
  }

  async rebuild(): Promise<{ shards: number; quarantined: number }> {
    let quarantined = 0;
    for (const { pack, index } of [...this.#files.files.values()]) {
      if ((await this.verify(pack, index)) !== undefined) quarantined++;
    }
    return { shards: this.#files.files.size, quarantined };
  }

  async *list(first?: number): AsyncIterable<{ pack: PackId; index: number; size: number }> {
    for (const { pack, index, bytes } of [...this.#files.files.values()]) {
      if (first !== undefined && Number.parseInt(pack.slice(0, 2), 16) !== first) continue;
      yield { pack, index, size: bytes.length };
    }
  }

  usage(): { shards: number; bytes: number; freeBytes: number } {
    let bytes = 0;
    for (const file of this.#files.files.values()) bytes += file.bytes.length;
    const freeBytes = Math.max(0, this.#capacity() - bytes);
    return { shards: this.#files.files.size, bytes, freeBytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sync();
  }
}

async function noMore(bytes: Uint8Array): Promise<void> {
  assert(bytes.length === 0, 'a finished shard takes no leaves');
}

class SimShardWriter implements ShardWriter {
  readonly #head: ShardHead;
  readonly #partial: PartialFile | undefined;
  readonly #append: (bytes: Uint8Array) => Promise<void>;
  readonly #finish: () => Promise<void>;
  readonly #abandon: () => void;

  constructor(parts: {
    head: ShardHead;
    partial: PartialFile | undefined;
    append: (bytes: Uint8Array) => Promise<void>;
    finish: () => Promise<void>;
    abandon?: () => void;
  }) {
    this.#head = parts.head;
    this.#partial = parts.partial;
    this.#append = parts.append;
    this.#finish = parts.finish;
    this.#abandon = parts.abandon ?? (() => {});
  }

  get nextLeaf(): number {
    if (this.#partial === undefined) return leafCountOf(this.#head);
    return Math.ceil(this.#partial.bytes.length / limits.leafSize);
  }

  async append(bytes: Uint8Array): Promise<void> {
    let leaf = this.nextLeaf;
    for (let at = 0; at < bytes.length; leaf++) {
      const size = leafSizeAt(this.#head, leaf);
      if (size === 0 || !checkLeaf(this.#head, leaf, bytes.subarray(at, at + size))) {
        const { pack, index } = this.#head;
        throw new HoldfastError('corrupt', `the bytes received fail at leaf ${leaf}`, {
          details: { pack, index, leaf },
        });
      }
      at += size;
    }
    await this.#append(bytes.slice());
  }

  async finish(): Promise<void> {
    assert(this.nextLeaf === leafCountOf(this.#head), 'a shard is finished after its last leaf');
    await this.#finish();
  }

  async abandon(): Promise<void> {
    this.#abandon();
  }
}

function leafOf(head: ShardHead, bytes: Uint8Array, leaf: number): Uint8Array {
  const start = leaf * limits.leafSize;
  return bytes.subarray(start, start + leafSizeAt(head, leaf));
}

function goodLeaves(head: ShardHead, bytes: Uint8Array): Uint8Array {
  let leaf = 0;
  while (leaf < leafCountOf(head) && checkLeaf(head, leaf, leafOf(head, bytes, leaf))) leaf++;
  return bytes.slice(0, Math.min(leaf * limits.leafSize, shardSizeOf(head)));
}
