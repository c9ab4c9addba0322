import type { PackEntry } from '../format/facts.ts';
import { type AgentKey, idBytes, type PackId } from '../ids.ts';
import { bitCount, siteTolerance } from './durability.ts';
import { placementScore } from './placement.ts';

/** Which shards of a pack an agent says to hold, over its signature. */
export type ShardWord = { readonly agent: AgentKey; readonly site: string; readonly mask: number };

/** A site that may hold shards of the pack, with its hosts. */
export type RepairSite = {
  readonly site: string;
  readonly region: string;
  readonly hosts: readonly RepairHost[];
};

export type RepairHost = {
  readonly agent: AgentKey;
  /** Relative capacity, from what it has signed: all members must come to the same order. */
  readonly weight: number;
  /** It has room for the shard, and its word would be believed. */
  readonly canTake: boolean;
};

/** What is known of one pack. */
export type PackCondition = {
  readonly entry: PackEntry;
  /** Of members that are there to stay and keep their word. */
  readonly words: readonly ShardWord[];
  /** Of those that lose their place (leaving, lost, expelled, caught without what they signed for). */
  readonly departing: readonly (ShardWord & {
    /** Nobody can read from it. */
    readonly isGone: boolean;
  })[];
  /** Shards that are there only as part of a full copy: they can be read, and no promise rests on them. */
  readonly extras?: readonly ShardWord[];
  /** Shards that somebody had signed for, and has taken back. */
  readonly takenBackMask?: number;
  /** Shards of nobody's word may still be on their way from the source. */
  readonly isAwaited: boolean;
};

/** One shard that should be somewhere where it is not. */
export type RepairTask = {
  readonly entry: PackEntry;
  readonly index: number;
  /** Who should make it: the first; each next one when those before have had their time. Empty: nobody can. */
  readonly takers: readonly AgentKey[];
  /** More sites that may fail now, whichever they are; -1: what stays is not enough to rebuild the pack. */
  readonly spare: number;
  /** Nothing fails: somebody has been asked to leave. */
  readonly isMove: boolean;
  readonly reason: string;
};

export type PackVerdict =
  | { readonly state: 'whole' }
  /** Shards of nobody's word may be on their way. */
  | { readonly state: 'awaited' }
  /** Fewer than k different shards are said to be anywhere. */
  | { readonly state: 'lost'; readonly had: number }
  | { readonly state: 'short'; readonly tasks: readonly RepairTask[] };

/** With more sites only the emptiest are thought of for copies: all ways to fail would take too long to count. */
const wideSites = 10;
/** More steps mean a mistake: there are at most 32 sites' worth of copies of 32 shards. */
const stepsMax = 64;

/**
 * What a pack lacks: each shard of its code at a site that stays, one a site as long as there are sites
 * without one; and, where there are too few sites for that, so many copies beside them that any `surviveSites`
 * of these may fail (but no more than the code was made for).
 */
export function planRepair(
  condition: PackCondition,
  around: { readonly sites: readonly RepairSite[]; readonly surviveSites: number },
): PackVerdict {
  const { entry, words, departing, extras = [] } = condition;
  const known = codeMask(entry);
  const readable = [...words, ...extras, ...departing.filter(({ isGone }) => !isGone)];
  const everywhere = readable.reduce((all, { mask }) => (all | mask) >>> 0, 0);
  const had = bitCount(everywhere & known);
  if (had < entry.k) return condition.isAwaited ? { state: 'awaited' } : { state: 'lost', had };
  const { surviveSites, sites } = around;
  const goal = repairGoal(entry, { surviveSites, siteCount: sites.length });
  const layout = new Layout(entry, words, around.sites);
  const spare = layout.tolerance();
  const tasks: RepairTask[] = [];
  for (let step = 0; step < stepsMax; step++) {
    const next = layout.next(goal);
    if (next === undefined) break;
    const isSpokenFor = isClaimed(condition, next.index);
    if (!isSpokenFor && condition.isAwaited) return { state: 'awaited' };
    const takers = layout.takers(next);
    const reason = reasonFor(condition, next, { goal, spare });
    const isMove = departing.some(({ mask }) => ((mask >>> next.index) & 1) === 1);
    tasks.push({ entry, index: next.index, takers, spare, isMove, reason });
    const [first] = takers;
    if (first === undefined) break;
    layout.add(first, next.index);
  }
  return tasks.length === 0 ? { state: 'whole' } : { state: 'short', tasks };
}

/** So many sites, whichever they are, a pack outlives when repairs have done what they can for it. */
export function repairGoal(
  { k, m }: Pick<PackEntry, 'k' | 'm'>,
  { surviveSites, siteCount }: { readonly surviveSites: number; readonly siteCount: number },
): number {
  const survives = Math.max(0, Math.min(surviveSites, siteCount - 1));
  return k === 1 ? survives : Math.min(m, survives);
}

function codeMask({ k, m }: PackEntry): number {
  return (2 ** (k + m) - 1) >>> 0;
}

/** Somebody has signed for it, so it is not on its way any more. Of full copies: as many as are missing. */
function isClaimed(
  { entry, departing, words, takenBackMask = 0 }: PackCondition,
  index: number,
): boolean {
  if (((takenBackMask >>> index) & 1) === 1) return true;
  if (entry.k === 1) return departing.length > 0;
  return [...departing, ...words].some(({ mask }) => ((mask >>> index) & 1) === 1);
}

type Step = { readonly index: number; readonly sites: readonly string[]; readonly isCopy: boolean };

function reasonFor(
  { entry, departing }: PackCondition,
  { index, isCopy }: Step,
  { goal, spare }: { goal: number; spare: number },
): string {
  const from = [
    ...new Set(
      departing.filter(({ mask }) => ((mask >>> index) & 1) === 1).map(({ site }) => site),
    ),
  ];
  const whose = from.length === 0 ? '' : `; it was at ${from.join(', ')}`;
  const left = spare < 0 ? 'too little stays' : `${spare} more may fail`;
  if (entry.k === 1) return `fewer than ${goal + 1} sites have a copy (${left})${whose}`;
  if (isCopy) return `too few sites for one shard each: a copy, so that any ${goal} may fail`;
  return `no site that stays has it (${left})${whose}`;
}

/** Who has what of one pack, as it is and as it becomes. */
class Layout {
  readonly #entry: PackEntry;
  readonly #sites: readonly RepairSite[];
  /** Where somebody has room and is believed: a site whose hosts are full or failing would be waited for in vain. */
  readonly #able: readonly RepairSite[];
  /** Of every site that has something or may have; to fail is also a site's part that has nothing. */
  readonly #masks: Map<string, number>;
  #ranked: readonly RankedSite[] | undefined;

  constructor(entry: PackEntry, words: readonly ShardWord[], sites: readonly RepairSite[]) {
    this.#entry = entry;
    this.#sites = sites;
    this.#able = sites.filter(({ hosts }) => hosts.some(({ canTake }) => canTake));
    this.#masks = new Map(sites.map(({ site }) => [site, 0]));
    const known = codeMask(entry);
    for (const { site, mask } of words) {
      this.#masks.set(site, ((this.#masks.get(site) ?? 0) | (mask & known)) >>> 0);
    }
  }

  tolerance(): number {
    return siteTolerance(this.#entry.k, this.#held());
  }

  add(agent: AgentKey, index: number): void {
    const site = this.#sites.find(({ hosts }) => hosts.some((host) => host.agent === agent));
    if (site === undefined) return;
    const mask = this.#masks.get(site.site) ?? 0;
    this.#masks.set(site.site, (mask | (1 << index)) >>> 0);
  }

  /** The next shard that should be made; undefined: nothing is missing. */
  next(goal: number): Step | undefined {
    const { k, m } = this.#entry;
    if (k === 1) {
      if (this.#held().filter((mask) => mask !== 0).length > goal) return undefined;
      return { index: 0, sites: this.#without(0), isCopy: true };
    }
    const union = this.#held().reduce((all, mask) => (all | mask) >>> 0, 0);
    for (let index = 0; index < k + m; index++) {
      if (((union >>> index) & 1) === 0) {
        return { index, sites: this.#emptiest(), isCopy: false };
      }
    }
    return this.tolerance() >= goal ? undefined : this.#copy(goal);
  }

  /** Sites that do not have it and can take it. */
  #without(index: number): string[] {
    return this.#able
      .filter(({ site }) => (((this.#masks.get(site) ?? 0) >>> index) & 1) === 0)
      .map(({ site }) => site);
  }

  /** Sites with the fewest shards, of those that can take one. */
  #emptiest(): string[] {
    const counts = this.#able.map(({ site }) => bitCount(this.#masks.get(site) ?? 0));
    const least = Math.min(...counts);
    return this.#able.filter((_, i) => counts[i] === least).map(({ site }) => site);
  }

  /**
   * The copy that takes most from what is missing over all ways for `goal` sites to fail. Each step takes
   * something: where shards are too few without some sites, one of theirs at another site is one more.
   */
  #copy(goal: number): Step | undefined {
    const { k, m } = this.#entry;
    const emptiest = this.#emptiest();
    const isWide = this.#sites.length > wideSites;
    let best: { index: number; sites: string[]; deficit: number; count: number } | undefined;
    for (let index = 0; index < k + m; index++) {
      for (const site of this.#without(index)) {
        if (isWide && !emptiest.includes(site)) continue;
        const before = this.#masks.get(site) ?? 0;
        this.#masks.set(site, (before | (1 << index)) >>> 0);
        const deficit = deficitOf(k, this.#held(), goal);
        this.#masks.set(site, before);
        const count = bitCount(before);
        const isBetter =
          best === undefined ||
          deficit < best.deficit ||
          (deficit === best.deficit && count < best.count);
        if (isBetter) best = { index, sites: [site], deficit, count };
        else if (best?.deficit === deficit && best.count === count && best.index === index) {
          best.sites.push(site);
        }
      }
    }
    const isOfUse = best !== undefined && best.deficit < deficitOf(k, this.#held(), goal);
    return isOfUse && best !== undefined ? { ...best, isCopy: true } : undefined;
  }

  #held(): number[] {
    return [...this.#masks.values()];
  }

  /** Hashes take most of the time of a plan: each is made once for a pack. */
  #rank(): readonly RankedSite[] {
    const seed = idBytes(this.#entry.pack);
    this.#ranked ??= this.#sites.map(({ site, region, hosts }) => ({
      ...{ site, region, hosts: ranking(seed, hosts) },
      score: placementScore(seed, `site ${site}`, sumOf(hosts)),
    }));
    return this.#ranked;
  }

  /** Hosts at these sites in the order of their turns: regions with least first, then by rendezvous. */
  takers({ sites }: Step): AgentKey[] {
    const inRegion = Map.groupBy(this.#sites, ({ region }) => region);
    const shardsIn = (region: string): number =>
      (inRegion.get(region) ?? []).reduce(
        (sum, { site }) => sum + bitCount(this.#masks.get(site) ?? 0),
        0,
      );
    const ranked = this.#rank()
      .filter(({ site }) => sites.includes(site))
      .map((one) => ({ ...one, shards: shardsIn(one.region) }))
      .sort((a, b) => a.shards - b.shards || b.score - a.score);
    const most = Math.max(0, ...ranked.map(({ hosts }) => hosts.length));
    const order = Array.from({ length: most }, (_, i) =>
      ranked.flatMap(({ hosts }) => hosts[i] ?? []),
    );
    return order.flat();
  }
}

type RankedSite = {
  readonly site: string;
  readonly region: string;
  /** Their order of turns. */
  readonly hosts: readonly AgentKey[];
  readonly score: number;
};

function ranking(seed: Uint8Array, hosts: readonly RepairHost[]): AgentKey[] {
  const able = hosts.filter(({ canTake }) => canTake);
  if (able.length < 2) return able.map(({ agent }) => agent);
  return able
    .map(({ agent, weight }) => ({ agent, score: placementScore(seed, agent, weight) }))
    .sort((a, b) => b.score - a.score)
    .map(({ agent }) => agent);
}

function sumOf(hosts: readonly RepairHost[]): number {
  return hosts.reduce((sum, { weight }) => sum + weight, 0);
}

/** Shards that are missing to k, summed over all ways for `lost` sites to fail. */
function deficitOf(k: number, masks: readonly number[], lost: number): number {
  /** What the sites from a place on have together. */
  const from = new Array<number>(masks.length + 1).fill(0);
  for (let at = masks.length - 1; at >= 0; at--) {
    from[at] = ((from[at + 1] as number) | (masks[at] as number)) >>> 0;
  }
  let sum = 0;
  const fail = (at: number, left: number, kept: number): void => {
    if (left === 0 || masks.length - at === left) {
      const rest = left === 0 ? (kept | (from[at] as number)) >>> 0 : kept;
      sum += Math.max(0, k - bitCount(rest));
      return;
    }
    fail(at + 1, left - 1, kept);
    fail(at + 1, left, (kept | (masks[at] as number)) >>> 0);
  };
  fail(0, Math.min(lost, masks.length), 0);
  return sum;
}

/** Tasks of one pack belong together: what one of them reads serves all. */
export function taskName({
  entry,
  index,
}: Pick<RepairTask, 'entry' | 'index'>): `${PackId}/${number}` {
  return `${entry.pack}/${index}`;
}
