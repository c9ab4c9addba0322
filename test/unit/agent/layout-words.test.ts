import { describe, expect, it } from 'vitest';
import { survivalInWords } from '../../../src/agent/layout-words.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import type { VoterCandidate } from '../../../src/core/policy/voter-choice.ts';

function voters(...sites: string[]): VoterCandidate[] {
  return sites.map((site, i) => ({
    agent: `${i}`.repeat(64) as AgentKey,
    name: `${site}-${i}`,
    site,
    region: 'eu',
    roles: ['voter'],
    isReachable: true,
  }));
}

describe('what voters survive', () => {
  it.each([
    [[], 'nobody votes'],
    [['a'], 'the one voter must not fail'],
    [['a', 'b'], 'none of 2 voters may fail'],
    [['a', 'b', 'c'], 'any 1 of 3 voters may fail; any one site may be lost'],
    [['a', 'a', 'b'], 'any 1 of 3 voters may fail, but not every whole site'],
    [['a', 'b', 'c', 'd', 'e'], 'any 2 of 5 voters may fail; any 2 sites may be lost'],
    [['a', 'a', 'b', 'c', 'd'], 'any 2 of 5 voters may fail; any one site may be lost'],
  ])('of the sites %j is told as "%s"', (sites, words) => {
    const candidates = voters(...sites);
    const keys = candidates.map(({ agent }) => agent);
    expect(survivalInWords(candidates, keys)).toBe(words);
  });

  it('says how many votes a promotion takes where a voter may lie', () => {
    const candidates = voters('a', 'b', 'c');
    const keys = candidates.map(({ agent }) => agent);
    expect(survivalInWords(candidates, keys, 1)).toBe(
      'any 1 of 3 voters may fail; any one site may be lost; a promotion takes 3 of 3 votes',
    );
    expect(survivalInWords(candidates, keys.slice(1, 2), 1)).toBe(
      'the one voter must not fail; too few to vote on a promotion',
    );
  });
});
