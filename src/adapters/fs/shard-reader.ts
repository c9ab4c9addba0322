import { closeSync, constants, openSync, read, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { uncleared } from '../../base/uncleared.ts';
import { HoldfastError } from '../../core/errors.ts';
import {
  decodeShardFileHead,
  leafCountOf,
  type ShardHead,
  shardFileHeadSizeMax,
  shardSizeOf,
} from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { ShardSource } from '../../ports/shard-store.ts';
import { bucketOf, fileNameOf, parseFileName, shardPath } from './shard-file.ts';
import { errnoOf, systemError } from './system-error.ts';

const readAt = promisify(read);

/** A restore reads packs one after another, a few at a time. */
const openFilesMax = 32;

type OpenShard = {
  readonly fd: number;
  readonly head: ShardHead;
  readonly offset: number;
  users: number;
};

/**
 * The shards in an agent's directory, read without the agent, which may run and keep its index to itself. Nothing is
 * checked but each shard's head: whoever asks checks the leaves. Shards that come later are not seen.
 * @returns undefined when there is no such directory, or this user may not read it.
 */
export function openShardReader(directory: string): (ShardSource & AsyncDisposable) | undefined {
  try {
    readdirSync(directory);
    return new ShardReader(directory);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

class ShardReader implements ShardSource, AsyncDisposable {
  readonly #directory: string;
  /** By bucket, then by pack. */
  readonly #buckets = new Map<string, ReadonlyMap<string, readonly number[]>>();
  /** The one used last stands last. */
  readonly #open = new Map<string, OpenShard>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  indexes(pack: PackId): readonly number[] {
    const name = bucketOf(pack);
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = indexesByPack(join(this.#directory, name));
      this.#buckets.set(name, bucket);
    }
    return bucket.get(pack) ?? [];
  }

  async head(pack: PackId, index: number): Promise<ShardHead> {
    const shard = this.#take(pack, index);
    shard.users--;
    return shard.head;
  }

  async read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    const shard = this.#take(pack, index);
    try {
      const { head, offset, fd } = shard;
      const start = leaf * limits.leafSize;
      const end = Math.min(leaf + count, leafCountOf(head)) * limits.leafSize;
      const bytes = uncleared(Math.max(0, Math.min(end, shardSizeOf(head)) - start));
      for (let done = 0; done < bytes.length; ) {
        const length = bytes.length - done;
        const { bytesRead } = await readAt(fd, bytes, done, length, offset + start + done);
        if (bytesRead === 0) throw new HoldfastError('corrupt', 'the file of a shard ends early');
        done += bytesRead;
      }
      return bytes;
    } catch (error) {
      throw systemError(error, `read shard ${fileNameOf({ pack, index })}`);
    } finally {
      shard.users--;
    }
  }

  /** The caller lets go of it by `users--`. @throws HoldfastError not-found | corrupt | io-error */
  #take(pack: PackId, index: number): OpenShard {
    const name = fileNameOf({ pack, index });
    const shard = this.#open.get(name) ?? this.#openShard(pack, index);
    this.#open.delete(name);
    this.#open.set(name, shard);
    shard.users++;
    this.#closeOldest();
    return shard;
  }

  #openShard(pack: PackId, index: number): OpenShard {
    const path = shardPath(this.#directory, { pack, index });
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw systemError(error, `open ${path}`);
      throw new HoldfastError('not-found', `shard ${index} of pack ${pack} is not held here`);
    }
    try {
      return { fd, users: 0, ...headOf(fd, { pack, index }) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #closeOldest(): void {
    for (const [name, { fd, users }] of this.#open) {
      if (this.#open.size <= openFilesMax) return;
      if (users > 0) continue;
      this.#open.delete(name);
      closeSync(fd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }
}

function headOf(
  fd: number,
  { pack, index }: { pack: PackId; index: number },
): { head: ShardHead; offset: number } {
  const bytes = new Uint8Array(shardFileHeadSizeMax);
  const count = readSync(fd, bytes, 0, bytes.length, 0);
  const { head, size } = decodeShardFileHead(bytes.subarray(0, count));
  if (head.pack === pack && head.index === index) return { head, offset: size };
  throw new HoldfastError('corrupt', `the file of shard ${index} of pack ${pack} holds another`);
}

function indexesByPack(directory: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const name of namesIn(directory)) {
    const shard = parseFileName(name);
    if (shard === undefined || shard.isPartial) continue;
    found.set(shard.pack, [...(found.get(shard.pack) ?? []), shard.index]);
  }
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    // A bucket without shards does not exist.
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}
