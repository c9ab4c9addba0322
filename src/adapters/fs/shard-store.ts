import { constants, statfsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import {
  decodeShardFileHead,
  encodeShardFileHead,
  type ShardHead,
  shardSizeOf,
} from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import type { KeyValue } from '../../ports/key-value.ts';
import type { Log } from '../../ports/runtime.ts';
import type { ShardStore, ShardUsage, ShardWriter } from '../../ports/shard-store.ts';
import { makeDirectory } from './atomic-write.ts';
import { writeFully } from './file-access.ts';
import { RecentMap } from './recent-map.ts';
import {
  bucketOf,
  checkLeaves,
  type Damage,
  fileNameOf,
  type ParsedShard,
  parseWholeShard,
  partialSuffix,
  readLeaves,
  type ShardName,
  shardPath,
  startsWith,
} from './shard-file.ts';
import { ShardInventory } from './shard-inventory.ts';
import { indexesOf } from './shard-listing.ts';
import { finishedWriter, ShardFileWriter } from './shard-writer.ts';
import { errnoOf, systemError } from './system-error.ts';
import { Turns } from '../../base/turns.ts';

export type ShardStoreOptions = {
  /** Exists. Files are `<first 2 digits of pack>/<pack>.<index>`, damaged ones go to `quarantine`. */
  readonly directory: string;
  /** Closed by its owner, after the store. */
  readonly index: KeyValue;
  /** The store's own part of the index. */
  readonly keyPrefix: string;
  /** Free bytes that shards may not use up: logs and the index must go on when peers send too much. */
  readonly reserveBytes: number;
  readonly log: Log;
};

/** Heads kept parsed: at about 12 KiB each, those of the transfers under way and then some. */
const headsCachedMax = 256;
const freeBytesAgeMaxMs = secondMs;

/**
 * Opens the shards of one directory. The index is trusted only after a clean close; otherwise the file
 * names decide what is held. @throws HoldfastError io-error
 */
export async function openShardStore(options: ShardStoreOptions): Promise<ShardStore> {
  const store = new FileShardStore(options);
  await store.open();
  return store;
}

class FileShardStore implements ShardStore {
  readonly #directory: string;
  readonly #reserveBytes: number;
  readonly #inventory: ShardInventory;
  readonly #heads = new RecentMap<ParsedShard>(headsCachedMax);
  readonly #writers = new Set<ShardFileWriter>();
  /** One writer or remover for each shard. */
  readonly #turns = new Turns();
  #isClosed = false;
  #free = { bytes: 0, measuredMs: Number.NEGATIVE_INFINITY };

  constructor(options: ShardStoreOptions) {
    this.#directory = options.directory;
    this.#reserveBytes = options.reserveBytes;
    this.#inventory = new ShardInventory({
      ...options,
      isInUse: (name) => this.#turns.has(fileNameOf(name)),
      onUnlisted: (name) => this.#heads.delete(fileNameOf(name)),
    });
  }

  async open(): Promise<void> {
    await this.#inventory.open();
  }

  indexes(pack: PackId): readonly number[] {
    return indexesOf(this.#inventory.listing.holding(pack).mask);
  }

  async head(pack: PackId, index: number): Promise<ShardHead> {
    const name = { pack, index };
    const cached = this.#heads.get(fileNameOf(name));
    if (cached !== undefined && this.#inventory.listing.has(name)) return cached.head;
    const shard = await this.#withFile(name, (file) => this.#parse(file, name));
    return shard.head;
  }

  async read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    assert(leaf >= 0 && count >= 0, 'leaves are counted from 0');
    const name = { pack, index };
    return this.#withFile(name, async (file) => {
      const shard = await this.#parse(file, name);
      return 'problem' in shard ? shard : readLeaves(file, shard, leaf, count);
    });
  }

  async verify(pack: PackId, index: number): Promise<string | undefined> {
    const name = { pack, index };
    try {
      // Not from the cache: what is on the disk is in question.
      await this.#withFile(name, async (file) => {
        const shard = await parseWholeShard(file, name);
        return 'problem' in shard ? shard : ((await checkLeaves(file, shard)) ?? 'good');
      });
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'corrupt' || code === 'not-found') return (error as Error).message;
      throw error;
    }
  }

  async write(head: ShardHead): Promise<ShardWriter> {
    const fileHead = encodeShardFileHead(head);
    // Reading it back is the check that its hashes agree: what is stored must open again.
    decodeShardFileHead(fileHead);
    const release = await this.#turns.take(fileNameOf(head));
    try {
      if (this.#isClosed) throw new HoldfastError('interrupted', 'the shard store is closed');
      this.#inventory.refuseAfterFailedSync();
      if (!(await this.#inventory.isHeld(head))) {
        this.#refuseWhenFull(shardSizeOf(head) + fileHead.length);
        return await this.#startWriter(head, fileHead, release);
      }
    } catch (error) {
      release();
      throw systemError(error, `write shard ${fileNameOf(head)}`);
    }
    release();
    return finishedWriter(head);
  }

  async sync(): Promise<void> {
    await this.#inventory.sync();
  }

  async remove(pack: PackId, index: number): Promise<void> {
    await this.#alone({ pack, index }, (name) => this.#inventory.remove(name));
  }

  /** While nobody else writes or removes the shard. */
  async #alone<Result>(
    name: ShardName,
    work: (name: ShardName) => Promise<Result>,
  ): Promise<Result> {
    const release = await this.#turns.take(fileNameOf(name));
    try {
      return await work(name);
    } finally {
      release();
    }
  }

  discard(pack: PackId, index: number): Promise<void> {
    return this.#alone({ pack, index }, (name) => this.#inventory.discard(name));
  }

  recover(pack: PackId, index: number): Promise<boolean> {
    return this.#alone({ pack, index }, (name) => this.#inventory.recover(name));
  }

  purge(pack: PackId, index: number): Promise<void> {
    return this.#alone({ pack, index }, (name) => this.#inventory.purge(name));
  }

  trash(): readonly { pack: PackId; index: number; size: number }[] {
    return this.#inventory.trash.list();
  }

  async rebuild(): Promise<{ shards: number; quarantined: number }> {
    return this.#inventory.survey({ trustsListing: false });
  }

  async *list(first?: number): AsyncIterable<{ pack: PackId; index: number; size: number }> {
    for await (const { pack, holding } of this.#inventory.listing.packs(first)) {
      for (const index of indexesOf(holding.mask)) yield { pack, index, size: holding.size };
    }
  }

  usage(): ShardUsage {
    if (performance.now() - this.#free.measuredMs > freeBytesAgeMaxMs) this.#measureFree();
    const { shards, bytes } = this.#inventory.listing;
    const { failure } = this.#inventory;
    return { shards, bytes, freeBytes: Math.max(0, this.#free.bytes), failure };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const writer of [...this.#writers]) await writer.abandon();
    await this.#inventory.close();
  }

  /** Runs `work` on the file of a listed shard, and puts the file aside when it reports damage. */
  async #withFile<Result>(
    name: ShardName,
    work: (file: FileHandle) => Promise<Result | Damage>,
  ): Promise<Exclude<Result, Damage>> {
    const path = shardPath(this.#directory, name);
    if (!this.#inventory.listing.has(name)) throw notHeld(name);
    let result: Result | Damage;
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        result = await work(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw systemError(error, `read ${path}`);
      await this.#inventory.forget(name);
      throw notHeld(name);
    }
    if (!isDamage(result)) return result as Exclude<Result, Damage>;
    await this.#inventory.setAside(name, result.problem);
    throw damaged(name, result);
  }

  async #parse(file: FileHandle, name: ShardName): Promise<ParsedShard | Damage> {
    const key = fileNameOf(name);
    const cached = this.#heads.get(key);
    if (cached !== undefined) return cached;
    const shard = await parseWholeShard(file, name);
    if (!('problem' in shard)) this.#heads.set(key, shard);
    return shard;
  }

  async #startWriter(
    head: ShardHead,
    fileHead: Uint8Array,
    release: () => void,
  ): Promise<ShardFileWriter> {
    await makeDirectory(join(this.#directory, bucketOf(head.pack)));
    const path = shardPath(this.#directory, head) + partialSuffix;
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      if (!(await startsWith(file, fileHead))) {
        await file.truncate(0);
        await writeFully(file, 0, fileHead);
      }
      const writer = await ShardFileWriter.resume(file, {
        shard: { head, offset: fileHead.length },
        path,
        end: {
          publish: (complete) => this.#inventory.publish(head, complete),
          release: () => {
            this.#writers.delete(writer);
            release();
          },
        },
      });
      this.#writers.add(writer);
      return writer;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #refuseWhenFull(size: number): void {
    this.#measureFree();
    if (this.#free.bytes >= size) return;
    throw new HoldfastError('disk-full', `no room for ${size} more bytes in ${this.#directory}`, {
      next: `free space on the file system of ${this.#directory}, or lower the reserve`,
      details: { path: this.#directory, freeBytes: Math.max(0, this.#free.bytes) },
    });
  }

  /** Bytes that may still be promised: neither reserved nor awaited by shards under way. */
  #measureFree(): void {
    const { bavail, bsize } = statfsSync(this.#directory);
    let bytes = bavail * bsize - this.#reserveBytes;
    for (const writer of this.#writers) bytes -= writer.bytesLeft;
    this.#free = { bytes, measuredMs: performance.now() };
  }
}

function isDamage(result: unknown): result is Damage {
  return typeof result === 'object' && result !== null && 'problem' in result;
}

function notHeld({ pack, index }: ShardName): HoldfastError {
  return new HoldfastError('not-found', `shard ${index} of pack ${pack} is not held here`, {
    details: { pack, index },
  });
}

function damaged({ pack, index }: ShardName, { problem, leaf }: Damage): HoldfastError {
  const place = leaf === undefined ? '' : ` at leaf ${leaf}`;
  return new HoldfastError(
    'corrupt',
    `shard ${index} of pack ${pack} is damaged${place}: ${problem}`,
    {
      next: 'holdfast check',
      details: { pack, index, ...(leaf === undefined ? {} : { leaf }) },
    },
  );
}
