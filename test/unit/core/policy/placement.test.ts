import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash } from '../../../../src/core/crypto/hash.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import {
  type Candidate,
  type PlacementPlan,
  placeCopies,
  placeShards,
} from '../../../../src/core/policy/placement.ts';

/** The region follows from the site: r0 to r2. */
function host(site: number, number: number, change: Partial<Candidate> = {}): Candidate {
  return {
    agent: `${site.toString(16).padStart(2, '0')}${number}`.padEnd(64, '0') as AgentKey,
    site: `site-${site}`,
    region: `r${site % 3}`,
    weight: 1,
    isReachable: true,
    ...change,
  };
}

function seedAt(i: number): Uint8Array {
  return hash('fact', Uint8Array.of(i, i >> 8));
}

function indexes(count: number): number[] {
  return [...new Array(count).keys()];
}

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const hosts = fc
  .array(
    fc.record({
      site: fc.nat(8),
      isReachable: fc.boolean(),
      weight: fc.constantFrom(0, 1, 1000, 1e12, 5e15),
    }),
    { maxLength: 14 },
  )
  .map((given) => given.map(({ site, ...rest }, i) => host(site, i, rest)));

function sitesOf({ assignments }: PlacementPlan): string[] {
  return assignments.map(({ site }) => site);
}

describe('the shards of a pack', () => {
  test('never meet at one site, and go to hosts of the sites named', () => {
    fc.assert(
      fc.property(seed, hosts, fc.nat(10), (some, candidates, count) => {
        const plan = placeShards({ seed: some, candidates, indexes: indexes(count) });
        const sites = sitesOf(plan);
        const known = new Set(candidates.map(({ site }) => site));
        expect(new Set(sites).size).toBe(sites.length);
        expect(sites.length).toBe(Math.min(count, known.size));
        expect(plan.assignments.map(({ index }) => index)).toEqual(indexes(sites.length));
        for (const { agent, site } of plan.assignments) {
          expect(candidates.find((one) => one.agent === agent)?.site).toBe(site);
        }
        expect(plan.reasons).toHaveLength(count);
      }),
      { numRuns: 300 },
    );
  });

  test('go to what can be reached first: sites, and hosts of a site', () => {
    fc.assert(
      fc.property(seed, hosts, fc.integer({ min: 1, max: 8 }), (some, candidates, count) => {
        const { assignments } = placeShards({ seed: some, candidates, indexes: indexes(count) });
        const reachable = candidates.filter(({ isReachable }) => isReachable);
        const sitesReachable = new Set(reachable.map(({ site }) => site));
        const wanted = Math.min(count, sitesReachable.size);
        const isReachable = assignments.map(({ agent }) =>
          reachable.some((one) => one.agent === agent),
        );
        expect(isReachable.filter(Boolean)).toHaveLength(wanted);
        expect(isReachable.slice(0, wanted)).not.toContain(false);
      }),
      { numRuns: 300 },
    );
  });

  test('spread over regions as evenly as sites allow', () => {
    fc.assert(
      fc.property(seed, hosts, fc.integer({ min: 1, max: 8 }), (some, all, count) => {
        const candidates = all.map((one) => ({ ...one, isReachable: true }));
        const plan = placeShards({ seed: some, candidates, indexes: indexes(count) });
        const chosen = new Set(sitesOf(plan));
        const used = new Map<string, number>();
        const unused = new Set<string>();
        for (const [site, region] of new Map(candidates.map((one) => [one.site, one.region]))) {
          if (chosen.has(site)) used.set(region, (used.get(region) ?? 0) + 1);
          else unused.add(region);
        }
        const most = Math.max(0, ...used.values());
        for (const region of unused) {
          expect(used.get(region) ?? 0).toBeGreaterThanOrEqual(most - 1);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('do not depend on the order in which members are known', () => {
    fc.assert(
      fc.property(seed, hosts, fc.nat(8), (some, candidates, count) => {
        const plan = (of: readonly Candidate[]): PlacementPlan =>
          placeShards({ seed: some, candidates: of, indexes: indexes(count) });
        expect(plan(candidates.toReversed())).toEqual(plan(candidates));
      }),
      { numRuns: 100 },
    );
  });

  test('move for a site that comes or goes only where it wins or held one', () => {
    const sites = fc.uniqueArray(fc.nat(20), { minLength: 2, maxLength: 10 });
    fc.assert(
      fc.property(seed, sites, fc.integer({ min: 1, max: 8 }), (some, numbers, count) => {
        const all = numbers.map((number) => host(number, 0, { weight: 1 + (number % 4) }));
        const chosen = (candidates: readonly Candidate[]): Set<string> =>
          new Set(sitesOf(placeShards({ seed: some, candidates, indexes: indexes(count) })));
        const [newcomer, ...before] = all as [Candidate, ...Candidate[]];
        const more = chosen(all);
        const less = chosen(before);
        const gained = [...more].filter((site) => !less.has(site));
        expect(gained).toEqual(more.has(newcomer.site) ? [newcomer.site] : []);
        expect([...less].filter((site) => !more.has(site)).length).toBeLessThanOrEqual(1);
        if (!more.has(newcomer.site)) expect(more).toEqual(less);
      }),
      { numRuns: 400 },
    );
  });

  test('go to sites in proportion to their room', () => {
    const candidates = [host(0, 0, { weight: 3e12 }), host(3, 0, { weight: 1e12 })];
    let large = 0;
    for (let i = 0; i < 2000; i++) {
      const plan = placeShards({ seed: seedAt(i), candidates, indexes: [0] });
      if (plan.assignments[0]?.site === 'site-0') large++;
    }
    expect(large / 2000).toBeCloseTo(0.75, 1);
  });

  test('that have no site left are said to have none', () => {
    const candidates = [host(0, 0), host(1, 0, { isReachable: false })];
    const plan = placeShards({ seed: seedAt(1), candidates, indexes: [0, 1, 2] });
    expect(sitesOf(plan)).toEqual(['site-0', 'site-1']);
    expect(plan.reasons[0]).toBe('shard 0 to site-0 (r0)');
    expect(plan.reasons[1]).toContain('not reachable now');
    expect(plan.reasons[2]).toContain('no site left');
  });
});

describe('copies of a metadata pack', () => {
  test('go to each host at most once, and to every site before a second host of one', () => {
    fc.assert(
      fc.property(seed, hosts, fc.nat(9), (some, candidates, copiesMax) => {
        const plan = placeCopies({ seed: some, candidates, copiesMax });
        const agents = plan.assignments.map(({ agent }) => agent);
        const siteCount = new Set(candidates.map(({ site }) => site)).size;
        expect(new Set(agents).size).toBe(agents.length);
        expect(agents.length).toBe(Math.min(copiesMax, candidates.length));
        expect(new Set(sitesOf(plan)).size).toBe(Math.min(copiesMax, siteCount));
        expect(plan.assignments.every(({ index }) => index === 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
