import { concat, utf8 } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import type { AgentKey } from '../ids.ts';

/** A member that may hold shards. */
export type Candidate = {
  readonly agent: AgentKey;
  readonly site: string;
  readonly region: string;
  /** Relative capacity: free bytes, or any common unit. */
  readonly weight: number;
  readonly isReachable: boolean;
};

export type Assignment = {
  readonly index: number;
  readonly agent: AgentKey;
  readonly site: string;
};

export type PlacementPlan = {
  readonly assignments: readonly Assignment[];
  /** Why it looks as it does, in words for a person. */
  readonly reasons: readonly string[];
};

/**
 * Weighted rendezvous score in (0, infinity): the highest wins, and a member that joins or leaves moves
 * only the shards that it wins or held (Thaler and Ravishankar 1998; weights by -w / ln h).
 */
export function placementScore(seed: Uint8Array, name: string, weight: number): number {
  const digest = hash('path', concat([seed, utf8(name)]));
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (digest[i] as number);
  const uniform = (value + 1) / (2 ** 48 + 1);
  return Math.max(weight, 1) / -Math.log(uniform);
}

const later = ', which is not reachable now: kept here until it is';

type RankedSite = { site: string; region: string; score: number; best: Candidate };

/** Each site with the host there that would take the shard: a reachable one, where there is one. */
function rankSites(seed: Uint8Array, candidates: readonly Candidate[]): RankedSite[] {
  const bySite = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    bySite.set(candidate.site, [...(bySite.get(candidate.site) ?? []), candidate]);
  }
  return [...bySite].map(([site, hosts]) => {
    const scored = hosts.map((host) => ({
      host,
      score: placementScore(seed, host.agent, host.weight),
    }));
    // Not by a factor on the score: weights are bytes, and no factor outweighs a large enough disk.
    scored.sort(
      (a, b) => Number(b.host.isReachable) - Number(a.host.isReachable) || b.score - a.score,
    );
    const best = (scored[0] as { host: Candidate }).host;
    const weight = hosts.reduce((sum, host) => sum + host.weight, 0);
    return { site, region: best.region, score: placementScore(seed, `site ${site}`, weight), best };
  });
}

/**
 * One shard for each of `sites` distinct sites: reachable sites first, then spread over regions, then by
 * rendezvous. Fewer sites than asked for give fewer assignments.
 * `indexes` names the shard that goes to the n-th chosen site (all 0 for full copies).
 */
export function placeShards(options: {
  seed: Uint8Array;
  candidates: readonly Candidate[];
  indexes: readonly number[];
}): PlacementPlan {
  const remaining = rankSites(options.seed, options.candidates);
  const perRegion = new Map<string, number>();
  const assignments: Assignment[] = [];
  const reasons: string[] = [];
  for (const index of options.indexes) {
    remaining.sort(
      (a, b) =>
        Number(b.best.isReachable) - Number(a.best.isReachable) ||
        (perRegion.get(a.region) ?? 0) - (perRegion.get(b.region) ?? 0) ||
        b.score - a.score,
    );
    const chosen = remaining.shift();
    if (chosen === undefined) {
      reasons.push(`shard ${index} has no site left: one shard a site`);
      continue;
    }
    perRegion.set(chosen.region, (perRegion.get(chosen.region) ?? 0) + 1);
    assignments.push({ index, agent: chosen.best.agent, site: chosen.site });
    reasons.push(
      `shard ${index} to ${chosen.site} (${chosen.region})${chosen.best.isReachable ? '' : later}`,
    );
  }
  return { assignments, reasons };
}

/**
 * Full copies of a metadata pack: one a storage peer up to `copiesMax`, sites before second hosts of a site.
 */
export function placeCopies(options: {
  seed: Uint8Array;
  candidates: readonly Candidate[];
  copiesMax: number;
}): PlacementPlan {
  const assignments: Assignment[] = [];
  const left = [...options.candidates];
  while (assignments.length < options.copiesMax && left.length > 0) {
    const round = placeShards({
      seed: options.seed,
      candidates: left,
      indexes: new Array(options.copiesMax - assignments.length).fill(0),
    });
    for (const assignment of round.assignments) {
      assignments.push(assignment);
      left.splice(
        left.findIndex((candidate) => candidate.agent === assignment.agent),
        1,
      );
    }
  }
  return {
    assignments,
    reasons: [`${assignments.length} full copies, at most one a storage peer`],
  };
}
