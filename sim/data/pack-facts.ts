import { equal, toHex } from '../../src/base/bytes.ts';
import { decodePackSegment, factHash, type PackEntry } from '../../src/core/format/facts.ts';
import {
  checkLeaf,
  decodeShardFileHead,
  leafCountOf,
  leafSizeAt,
} from '../../src/core/format/shard.ts';
import { idBytes } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import type { DataAgent } from './agent.ts';
import { type ShardFile, shardName } from './shard-files.ts';

/** The packs of a snapshot, as the facts on a disk say; undefined when they are not all there. */
export function packsOn(
  { disk }: DataAgent,
  { shortList = [] }: ManifestRecord,
): PackEntry[] | undefined {
  const packs: PackEntry[] = [];
  for (const { hash } of shortList) {
    const fact = disk.device.facts.get(toHex(idBytes(hash)));
    if (fact === undefined || !equal(factHash(fact), idBytes(hash))) return undefined;
    packs.push(...decodePackSegment(fact));
  }
  return packs;
}

/** Indexes of a pack that a host has for good and whole. */
export function goodIndexes({ disk }: DataAgent, { pack, k, m }: PackEntry): number[] {
  const found: number[] = [];
  for (let index = 0; index < Math.max(k + m, 1); index++) {
    const file = disk.shards.files.get(shardName({ pack, index }));
    if (file?.isDurable === true && isWhole(file)) found.push(index);
  }
  return found;
}

const whole = new WeakMap<Uint8Array, Uint8Array>();

function isWhole(file: ShardFile): boolean {
  if (whole.get(file.bytes) === file.head) return true;
  if (!isWholeNow(file)) return false;
  whole.set(file.bytes, file.head);
  return true;
}

function isWholeNow({ head: bytes, bytes: content, pack }: ShardFile): boolean {
  try {
    const { head } = decodeShardFileHead(bytes);
    if (head.pack !== pack) return false;
    for (let leaf = 0; leaf < leafCountOf(head); leaf++) {
      const start = leaf * limits.leafSize;
      const part = content.subarray(start, start + leafSizeAt(head, leaf));
      if (!checkLeaf(head, leaf, part)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/** True when the fault that has struck this host's disk has touched a shard of these packs. */
export function isHarmed({ disk }: DataAgent, packs: readonly PackEntry[]): boolean {
  const { harmed } = disk.shards;
  if (harmed.size === 0) return false;
  return packs.some(({ pack, k, m }) => {
    for (let index = 0; index < Math.max(k + m, 1); index++) {
      if (harmed.has(shardName({ pack, index }))) return true;
    }
    return false;
  });
}
