import { codeOf, HoldfastError } from '../../core/errors.ts';
import {
  decodeShardFileHead,
  leafCountOf,
  type ShardHead,
  shardFileHeadSizeMax,
  shardSizeOf,
} from '../../core/format/shard.ts';
import { badLeaf, leafRange } from '../../core/format/shard-leaves.ts';
import type { PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../ports/object-store.ts';

export type ShardName = { readonly pack: PackId; readonly index: number };

/** A parsed head: `offset` is where the shard's bytes start in its object. */
export type ShardObject = { readonly head: ShardHead; readonly offset: number };

/** What a look at stored bytes found; `leaf` only when one leaf is to blame. */
export type Damage = { readonly problem: string; readonly leaf?: number };

export const objectSizeMax = shardFileHeadSizeMax + limits.packSizeMax;

/** Objects of packs whose ids begin with a byte have keys that begin so. */
export function bucketKey(first: number): string {
  return `shards/${first.toString(16).padStart(2, '0')}/`;
}

/** The object of a shard: as its file would be, see "Shards" in proto/README.md. */
export function keyOf({ pack, index }: ShardName): string {
  return `shards/${pack.slice(0, 2)}/${pack}.${index}`;
}

/** The shard that a key stands for; undefined for other objects. */
export function shardOfKey(key: string): ShardName | undefined {
  const match = /^shards\/([0-9a-f]{2})\/(([0-9a-f]{2})[0-9a-f]{62})\.(0|[1-9][0-9]?)$/.exec(key);
  if (match === null || match[1] !== match[3]) return undefined;
  const index = Number(match[4]);
  return index < limits.shardsMax ? { pack: match[2] as PackId, index } : undefined;
}

/** The head in the first bytes of an object, when it is that very shard's. */
export function parseObject(bytes: Uint8Array, name: ShardName): ShardObject | Damage {
  try {
    const { head, size } = decodeShardFileHead(bytes);
    if (head.pack === name.pack && head.index === name.index) return { head, offset: size };
    return { problem: `the object holds shard ${head.index} of pack ${head.pack}` };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { problem: (error as Error).message };
  }
}

/** A whole object. @returns its shard when every byte is as it must be */
export function checkObject(bytes: Uint8Array, name: ShardName): ShardObject | Damage {
  const shard = parseObject(bytes, name);
  if ('problem' in shard) return shard;
  const { head, offset } = shard;
  const expected = offset + shardSizeOf(head);
  if (bytes.length !== expected) {
    return { problem: `the object has ${bytes.length} bytes instead of ${expected}` };
  }
  return leafDamage(head, 0, bytes.subarray(offset)) ?? shard;
}

/** Leaves of a shard from its object, each checked. @returns undefined when the object has gone */
export async function readObjectLeaves(
  objects: Pick<ObjectStore, 'read'>,
  { head, offset }: ShardObject,
  leaf: number,
  count: number,
): Promise<Uint8Array | Damage | undefined> {
  const { from, size } = leafRange(head, leaf, count);
  if (size === 0) return new Uint8Array();
  const bytes = await objects.read(keyOf(head), { from: offset + from, size });
  if (bytes === undefined) return undefined;
  const found = leafDamage(head, leaf, bytes);
  if (found !== undefined) return found;
  if (bytes.length === size) return bytes;
  const last = Math.min(leaf + count, leafCountOf(head)) - 1;
  return { problem: 'the object ends early', leaf: last };
}

function leafDamage(head: ShardHead, leaf: number, bytes: Uint8Array): Damage | undefined {
  const bad = badLeaf(head, leaf, bytes);
  if (bad === undefined) return undefined;
  return { problem: 'the bytes do not match their hash', leaf: bad };
}

export function notHeld({ pack, index }: ShardName): HoldfastError {
  return new HoldfastError('not-found', `shard ${index} of pack ${pack} is not held here`, {
    details: { pack, index },
  });
}

export function damaged({ pack, index }: ShardName, { problem, leaf }: Damage): HoldfastError {
  const place = leaf === undefined ? '' : ` at leaf ${leaf}`;
  const details = { pack, index, ...(leaf === undefined ? {} : { leaf }) };
  const what = `shard ${index} of pack ${pack} is damaged${place}: ${problem}`;
  return new HoldfastError('corrupt', what, { next: 'holdfast check', details });
}
