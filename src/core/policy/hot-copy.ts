import type { PackEntry } from '../format/facts.ts';
import { type AgentKey, idBytes } from '../ids.ts';
import { placementScore } from './placement.ts';
import { type DatasetRule, isRegionAllowed } from './policy-terms.ts';

/** Bit i: shard i holds a part of the pack as it is. Whoever has all of these has a full copy: nothing is decoded. */
export function dataMaskOf({ k }: Pick<PackEntry, 'k'>): number {
  return 2 ** k - 1;
}

/** Whether a full copy of a snapshot is to be at the sites of its rule. `ageMs` undefined: not known, so young. */
export function isHot({ tiers }: DatasetRule, ageMs: number | undefined): boolean {
  if (tiers?.hot === undefined) return false;
  const { forMs } = tiers.hot;
  return forMs === undefined || ageMs === undefined || ageMs < forMs;
}

/** A host at the site of a hot copy. */
export type HotHost = {
  readonly agent: AgentKey;
  /** Which shards of the pack it says to hold. */
  readonly mask: number;
  readonly hasRoom: boolean;
};

/**
 * Which host of a site is to hold the full copy of a pack: one that has it, else one that has room, and of these by
 * rendezvous. So a copy stays where it is, also when another disk of the site becomes emptier. Undefined: no host.
 */
export function hotHostOf(
  entry: Pick<PackEntry, 'pack' | 'k'>,
  hosts: readonly HotHost[],
): AgentKey | undefined {
  const seed = idBytes(entry.pack);
  const whole = dataMaskOf(entry);
  const rankOf = ({ mask, hasRoom }: HotHost): number => {
    if ((mask & whole) === whole) return 2;
    return hasRoom ? 1 : 0;
  };
  const ranked = hosts
    .map((host) => ({ host, rank: rankOf(host), score: placementScore(seed, host.agent, 1) }))
    .sort((a, b) => b.rank - a.rank || b.score - a.score);
  return ranked[0]?.host.agent;
}

/** A member, as far as it matters for where copies may be. */
export type HotMember = {
  readonly site: string;
  readonly region: string;
  readonly hasStorage: boolean;
};

/** Why no full copy could be where a rule wants one, in words for whoever wrote it; empty: nothing is wrong. */
export function hotObjections(rule: DatasetRule, members: readonly HotMember[]): string[] {
  return (rule.tiers?.hot?.sites ?? []).flatMap((site, at) => {
    const problem = siteObjection(rule, site, members);
    return problem === undefined ? [] : [`tiers.hot.sites[${at}]: ${problem}`];
  });
}

function siteObjection(
  rule: DatasetRule,
  site: string,
  members: readonly HotMember[],
): string | undefined {
  const there = members.filter((member) => member.site === site);
  if (there.length === 0) {
    const known = [...new Set(members.map((member) => member.site))].sort();
    return `there is no site ${site}; there are ${known.join(', ')}`;
  }
  const storing = there.filter(({ hasStorage }) => hasStorage);
  if (storing.length === 0) return `no host at ${site} stores anything (role storage)`;
  const [first] = storing;
  if (storing.some(({ region }) => isRegionAllowed(rule, region))) return undefined;
  return `${site} is in region ${first?.region}, and the rule keeps its data in ${rule.regions?.join(', ')}`;
}
