import type { PackEntry } from '../format/facts.ts';
import type { AgentKey } from '../ids.ts';

/** What one peer says, over its signature, that it holds of a snapshot's packs. */
export type Holding = {
  readonly agent: AgentKey;
  readonly site: string;
  /** Per pack of the snapshot, in the manifest's order: mask of the shard indexes held. */
  readonly masks: Uint32Array;
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
  /** Packs held at fewer sites than wanted. */
  readonly degradedPacks: number;
  /** Sites that hold the manifest and at least one shard. */
  readonly sites: readonly string[];
};

/** Set bits of a 32-bit mask. */
function bitCount(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/**
 * Site losses that one pack outlives, from the mask that each site holds: sites fail worst first (the one
 * that holds most shards nobody else has counted), until fewer than k distinct shards are left.
 */
function tolerance(k: number, masks: readonly number[]): number {
  const left = [...masks];
  for (let lost = 0; ; lost++) {
    const union = left.reduce((all, mask) => all | mask, 0);
    if (bitCount(union) < k) return lost - 1;
    if (k === 1) return left.filter((mask) => mask !== 0).length - 1;
    let worst = 0;
    for (let i = 1; i < left.length; i++) {
      if (bitCount(left[i] as number) > bitCount(left[worst] as number)) worst = i;
    }
    left.splice(worst, 1);
  }
}

/**
 * How safe a snapshot is, from its packs and what peers have signed for.
 * Committed: each pack is durable at k+1 sites, and the manifest at more sites than may be lost (or at all
 * sites, where there are fewer). Needs no quorum.
 */
export function assessDurability(options: {
  packs: readonly PackEntry[];
  holdings: readonly Holding[];
  /** Sites with storage in the cluster. */
  siteCount: number;
  surviveSites: number;
  /** Sites wanted for a coded or replicated data pack. */
  wantedSites: (pack: PackEntry) => number;
}): Durability {
  const sites = [...new Set(options.holdings.map((holding) => holding.site))].sort();
  let lostPacks = 0;
  let degradedPacks = 0;
  let weakPacks = 0;
  let sitesMayFail = sites.length - 1;
  const masks = new Array<number>(sites.length);
  for (const [i, pack] of options.packs.entries()) {
    masks.fill(0);
    for (const holding of options.holdings) {
      const at = sites.indexOf(holding.site);
      masks[at] = ((masks[at] as number) | (holding.masks[i] ?? 0)) >>> 0;
    }
    const holders = masks.filter((mask) => mask !== 0).length;
    const survives = tolerance(pack.k, masks);
    if (survives < 0) lostPacks++;
    if (holders < Math.min(pack.k + 1, options.siteCount)) weakPacks++;
    if (holders < options.wantedSites(pack)) degradedPacks++;
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
