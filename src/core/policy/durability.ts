import type { PackEntry } from '../format/facts.ts';
import type { AgentKey } from '../ids.ts';

/** What one peer says, over its signature, that it holds of a snapshot's packs. */
export type Holding = {
  readonly agent: AgentKey;
  readonly site: string;
  /** Per pack of the snapshot, in the manifest's order: mask of the shard indexes held. */
  readonly masks: Uint32Array;
  /** Of these masks: what is there only as part of a full copy. Undefined: nothing. */
  readonly extras?: Uint8Array;
};

export type Durability = {
  readonly state: 'staged' | 'placed' | 'committed';
  /** Every pack can be rebuilt from these holdings. */
  readonly isRecoverable: boolean;
  /**
   * How many more sites may fail, whichever they are, and every pack can still be rebuilt.
   * -1 when it cannot be now.
   */
  readonly sitesMayFail: number;
  /** Packs that cannot be rebuilt from these holdings. */
  readonly lostPacks: number;
  /** Packs of which fewer sites may fail than the policy asks for. */
  readonly degradedPacks: number;
  /** Sites with a peer that has signed that it holds the manifest. */
  readonly sites: readonly string[];
};

/** Set bits of a 32-bit mask. */
export function bitCount(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/** Bit i: i is among the indexes, each below 32. */
export function maskOf(indexes: Iterable<number>): number {
  let mask = 0;
  for (const index of indexes) mask = (mask | (1 << index)) >>> 0;
  return mask;
}

/**
 * Site losses that one pack outlives, whichever they are, from the mask that each site holds; -1 when fewer
 * than k distinct shards are left now. Sites may hold the same shard (a copy made by a repair).
 */
export function siteTolerance(k: number, masks: readonly number[]): number {
  const held = masks.filter((mask) => mask !== 0);
  const union = held.reduce((all, mask) => (all | mask) >>> 0, 0);
  const shards = held.reduce((sum, mask) => sum + bitCount(mask), 0);
  if (bitCount(union) < k) return -1;
  if (shards > bitCount(union)) return held.length - 1 - mostWithin(held, union, k - 1);
  // No shard twice: the sites that hold most fail first.
  const counts = held.map(bitCount).sort((a, b) => b - a);
  let left = shards;
  let lost = 0;
  while (left >= k) left -= counts[lost++] ?? 0;
  return lost - 1;
}

/**
 * The most sites that together hold no more than `count` distinct shards: if just they are left, the pack is
 * lost. To fail the sites with most shards first would be wrong here, since their shards may be elsewhere too.
 */
function mostWithin(held: readonly number[], union: number, count: number): number {
  let most = 0;
  const choose = (chosen: number, rest: number, left: number): void => {
    if (left === 0 || rest === 0) {
      most = Math.max(most, held.filter((mask) => (mask & ~chosen) === 0).length);
      return;
    }
    const lowest = rest & -rest;
    const others = rest & ~lowest;
    choose(chosen | lowest, others, left - 1);
    if (bitCount(others >>> 0) >= left) choose(chosen, others, left);
  };
  choose(0, union, count);
  return most;
}

/** Sites at which a pack must lie for a commit; `wanted`: those that it should lie at, by the policy. */
export function sitesNeeded(
  { k }: Pick<PackEntry, 'k'>,
  { siteCount, wanted }: { readonly siteCount: number; readonly wanted: number },
): number {
  return Math.min(k + 1, siteCount, wanted);
}

/**
 * How safe a snapshot is, from its packs and what peers have signed for.
 * Committed: each pack is durable at k+1 sites and outlives the loss of one, and the manifest is durable at
 * more sites than may be lost (or at all sites, where there are fewer, or as many as the code wants where the
 * policy asks to survive nothing). Needs no quorum.
 */
export function assessDurability(options: {
  packs: readonly PackEntry[];
  holdings: readonly Holding[];
  /** Sites with storage in the cluster. */
  siteCount: number;
  surviveSites: number;
  /** Sites at which a pack should lie. */
  wantedSites: (pack: PackEntry) => number;
  /** Sites that it should outlive the loss of, whichever they are. */
  wantedTolerance: (pack: PackEntry) => number;
}): Durability {
  const sites = [...new Set(options.holdings.map((holding) => holding.site))].sort();
  let lostPacks = 0;
  let degradedPacks = 0;
  let weakPacks = 0;
  let sitesMayFail = sites.length - 1;
  const masks = new Array<number>(sites.length);
  /** Without what is there only as part of a full copy: no promise rests on that. */
  const kept = new Array<number>(sites.length);
  for (const [i, pack] of options.packs.entries()) {
    masks.fill(0);
    kept.fill(0);
    let isSomeExtra = false;
    // What a peer claims beyond the code is no shard of this pack.
    const known = (2 ** (pack.k + pack.m) - 1) >>> 0;
    for (const holding of options.holdings) {
      const at = sites.indexOf(holding.site);
      const mask = ((holding.masks[i] ?? 0) & known) >>> 0;
      const extra = holding.extras?.[i] ?? 0;
      isSomeExtra ||= (mask & extra) !== 0;
      masks[at] = ((masks[at] as number) | mask) >>> 0;
      kept[at] = ((kept[at] as number) | (mask & ~extra)) >>> 0;
    }
    const holders = masks.filter((mask) => mask !== 0).length;
    const survives = siteTolerance(pack.k, masks);
    if (survives < 0) lostPacks++;
    const wanted = options.wantedSites(pack);
    const needed = sitesNeeded(pack, { siteCount: options.siteCount, wanted });
    if (holders < needed || (needed > pack.k && survives < 1)) weakPacks++;
    const outlives = isSomeExtra ? siteTolerance(pack.k, kept) : survives;
    if (outlives < options.wantedTolerance(pack)) degradedPacks++;
    sitesMayFail = Math.min(sitesMayFail, survives);
  }
  const isRecoverable = sites.length > 0 && lostPacks === 0;
  const manifestSites = Math.min(options.surviveSites + 1, options.siteCount);
  const isCommitted = isRecoverable && weakPacks === 0 && sites.length >= manifestSites;
  return {
    state: isCommitted ? 'committed' : isRecoverable ? 'placed' : 'staged',
    isRecoverable,
    sitesMayFail: isRecoverable ? sitesMayFail : -1,
    lostPacks,
    degradedPacks,
    sites,
  };
}
