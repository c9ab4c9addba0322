import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { equal } from '../../base/bytes.ts';
import { codeOf } from '../../core/errors.ts';
import {
  checkLeaf,
  decodeShardFileHead,
  leafCountOf,
  leafSizeAt,
  type ShardHead,
  shardFileHeadSizeMax,
  shardSizeOf,
} from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { readFully } from './file-access.ts';
import { errnoOf } from './system-error.ts';

/** One shard of one pack. */
export type ShardName = { readonly pack: PackId; readonly index: number };

/** A parsed shard file: `offset` is where the shard's bytes start. */
export type ParsedShard = { readonly head: ShardHead; readonly offset: number };

/** What a look at stored bytes found; `leaf` only when one leaf is to blame. */
export type Damage = { readonly problem: string; readonly leaf?: number };

export const partialSuffix = '.part';

/** Leaves read and checked at once. */
const leavesPerRead = limits.pullLeavesMax;

export function bucketOf(pack: PackId): string {
  return pack.slice(0, 2);
}

export function fileNameOf({ pack, index }: ShardName): string {
  return `${pack}.${index}`;
}

export function shardPath(directory: string, name: ShardName): string {
  return join(directory, bucketOf(name.pack), fileNameOf(name));
}

/** The shard that a file name stands for, and whether the file is a partial one; undefined for other files. */
export function parseFileName(name: string): (ShardName & { isPartial: boolean }) | undefined {
  const match = /^([0-9a-f]{64})\.(0|[1-9][0-9]?)(\.part)?$/.exec(name);
  if (match === null) return undefined;
  const index = Number(match[2]);
  if (index >= limits.shardsMax) return undefined;
  return { pack: match[1] as PackId, index, isPartial: match[3] !== undefined };
}

/** The head of an open shard file, whose hashes agree and which is the head of that very shard. */
export async function parseShard(file: FileHandle, name: ShardName): Promise<ParsedShard | Damage> {
  const bytes = await readAt(file, 0, shardFileHeadSizeMax);
  if (bytes === undefined) return { problem: 'the disk cannot read its head' };
  try {
    const { head, size } = decodeShardFileHead(bytes);
    // Swapped files are each sound in themselves.
    if (head.pack !== name.pack || head.index !== name.index) {
      return { problem: `the file holds shard ${head.index} of pack ${head.pack}` };
    }
    return { head, offset: size };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { problem: (error as Error).message };
  }
}

/** As parseShard, and the file is exactly as long as the head says. */
export async function parseWholeShard(
  file: FileHandle,
  name: ShardName,
): Promise<ParsedShard | Damage> {
  const shard = await parseShard(file, name);
  if ('problem' in shard) return shard;
  const { size } = await file.stat();
  const expected = shard.offset + shardSizeOf(shard.head);
  if (size === expected) return shard;
  return { problem: `the file has ${size} bytes instead of ${expected}` };
}

/** `count` leaves from `leaf` on, fewer at the end, each checked against its hash. */
export async function readLeaves(
  file: FileHandle,
  shard: ParsedShard,
  leaf: number,
  count: number,
): Promise<Uint8Array | (Damage & { leaf: number })> {
  const { head, offset } = shard;
  const end = Math.min(leaf + count, leafCountOf(head));
  if (leaf >= end) return new Uint8Array();
  const start = leaf * limits.leafSize;
  const size = Math.min(end * limits.leafSize, shardSizeOf(head)) - start;
  const bytes = await readAt(file, offset + start, size);
  if (bytes === undefined) return { problem: 'the disk cannot read it', leaf };
  for (let at = leaf; at < end; at++) {
    const from = (at - leaf) * limits.leafSize;
    if (checkLeaf(head, at, bytes.subarray(from, from + leafSizeAt(head, at)))) continue;
    const isShort = bytes.length < from + leafSizeAt(head, at);
    return {
      problem: isShort ? 'the file ends early' : 'the bytes do not match their hash',
      leaf: at,
    };
  }
  return bytes;
}

/** Reads and checks all leaves. @returns undefined when good. */
export async function checkLeaves(
  file: FileHandle,
  shard: ParsedShard,
): Promise<(Damage & { leaf: number }) | undefined> {
  for (let leaf = 0; leaf < leafCountOf(shard.head); leaf += leavesPerRead) {
    const read = await readLeaves(file, shard, leaf, leavesPerRead);
    if (!(read instanceof Uint8Array)) return read;
  }
  return undefined;
}

/** True when the file begins with exactly these bytes. */
export async function startsWith(file: FileHandle, bytes: Uint8Array): Promise<boolean> {
  const found = await readAt(file, 0, bytes.length);
  return found !== undefined && equal(found, bytes);
}

/** As readFully; undefined when the medium has lost some of it. */
async function readAt(
  file: FileHandle,
  position: number,
  size: number,
): Promise<Uint8Array | undefined> {
  try {
    return await readFully(file, position, size);
  } catch (error) {
    // A bad sector costs this one shard, which others can rebuild; other failures are the caller's.
    if (errnoOf(error) === 'EIO') return undefined;
    throw error;
  }
}
