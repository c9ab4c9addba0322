import type { PackId } from '../../core/ids.ts';

/** For shards, in bytes. */
export type HotRoom = {
  /** That may be used still. */
  readonly free: number;
  /** In all, what is held included. */
  readonly whole: number;
};

/** Free for what is placed here and for repairs: a copy for speed must not crowd out what is promised. */
const sparedShare = 0.1;
/** Where less is left, copies make room. Less than is spared, or some would be made and removed for ever. */
const crowdedShare = 0.05;

export function sparedBytes({ whole }: Pick<HotRoom, 'whole'>): number {
  return whole * sparedShare;
}

/** So little is left for what is promised that copies must make room. */
export function isCrowded({ free, whole }: HotRoom): boolean {
  return free < whole * crowdedShare;
}

/**
 * Packs whose copies must make room: the last ones. `sizes`: what each full copy takes, or would take, beside what is
 * kept for good, the most wanted first; `held`: what all of them take now.
 */
export function crowdedOut(
  { free, whole }: HotRoom,
  { sizes, held }: { readonly sizes: Iterable<readonly [PackId, number]>; readonly held: number },
): Set<PackId> {
  const crowded = new Set<PackId>();
  const room = free + held - whole * crowdedShare;
  let sum = 0;
  for (const [pack, size] of sizes) {
    sum += size;
    if (sum > room) crowded.add(pack);
  }
  return crowded;
}
