import { closeSync, openSync, writeSync } from 'node:fs';
import { leafCountOf } from '../../src/core/format/shard.ts';
import { limits } from '../../src/core/limits.ts';
import type { HeldShard } from './held-shards.ts';

/** Leaves of a shard that a cheat throws away: one of a hundred where shards are long. */
export function isDroppedLeaf(leaf: number): boolean {
  return leaf % 100 === 37;
}

/** Writes zeros over them. @returns how many there were, and how many leaves in all */
export function dropLeaves(shards: readonly HeldShard[]): { dropped: number; leaves: number } {
  const zeros = new Uint8Array(limits.leafSize);
  let dropped = 0;
  let leaves = 0;
  for (const { path, offset, head } of shards) {
    const count = leafCountOf(head);
    leaves += count;
    const file = openSync(path, 'r+');
    // The last leaf may be shorter: it is left as it is.
    for (let leaf = 0; leaf < count - 1; leaf++) {
      if (!isDroppedLeaf(leaf)) continue;
      writeSync(file, zeros, 0, zeros.length, offset + leaf * limits.leafSize);
      dropped++;
    }
    closeSync(file);
  }
  return { dropped, leaves };
}
