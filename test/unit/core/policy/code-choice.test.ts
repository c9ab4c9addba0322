import { describe, expect, test } from 'vitest';
import { limits } from '../../../../src/core/limits.ts';
import { chooseCode, codeInWords } from '../../../../src/core/policy/code-choice.ts';
import { assessDurability } from '../../../../src/core/policy/durability.ts';
import { packIdAt } from '../format/samples.ts';

const cases = Array.from({ length: 10 }, (_, i) => i + 1).flatMap((siteCount) =>
  [0, 1, 2, 3].map((surviveSites) => ({ siteCount, surviveSites })),
);

/** What the cluster knows after a backup with this code, when only these of its sites are left. */
function leftOver(
  options: { siteCount: number; surviveSites: number },
  isLeft: (site: number) => boolean,
) {
  const code = chooseCode(options);
  const { k, m, sites } = code;
  const packs = [{ pack: packIdAt(0), k, m, type: 'data' as const, size: 1000 }];
  const holdings = Array.from({ length: sites }, (_, site) => ({
    agent: `${site}` as never,
    site: `site-${site}`,
    masks: Uint32Array.of(k === 1 ? 1 : 1 << site),
  })).filter((_, site) => isLeft(site));
  const wanted = { wantedSites: () => sites, wantedTolerance: () => code.survives };
  return assessDurability({ packs, holdings, ...options, ...wanted });
}

describe.each(cases)('$siteCount sites that shall survive $surviveSites', (options) => {
  const { siteCount, surviveSites } = options;
  const code = chooseCode(options);

  test('get a code that they have room for, one shard a site', () => {
    expect(code.sites).toBeLessThanOrEqual(siteCount);
    expect(code.k === 1 ? code.m : code.k + code.m).toBe(code.k === 1 ? 0 : code.sites);
    expect(code.k).toBeLessThanOrEqual(limits.dataShardsMax);
    expect(code.k + code.m).toBeLessThanOrEqual(limits.shardsMax);
  });

  test('survive what they say, as far as there are sites', () => {
    expect(code.survives).toBe(Math.min(surviveSites, siteCount - 1));
    for (let lost = 0; lost < 2 ** code.sites; lost++) {
      const count = lost.toString(2).replaceAll('0', '').length;
      const { isRecoverable } = leftOver(options, (site) => ((lost >>> site) & 1) === 0);
      expect(isRecoverable).toBe(count <= code.survives);
    }
  });

  test('have a snapshot committed once everything is where the code wants it', () => {
    // The manifest goes to every site; here it stands at those with a shard.
    expect(leftOver(options, () => true)).toMatchObject({
      state: 'committed',
      sitesMayFail: code.survives,
      degradedPacks: 0,
    });
  });

  test('pay no more than the words say', () => {
    const cost = code.k === 1 ? code.sites : (code.k + code.m) / code.k;
    expect(codeInWords(code)).toContain(`costs ${Number(cost.toFixed(2))}x`);
    expect(codeInWords(code)).toMatch(
      code.survives === 0 ? /no site loss/ : new RegExp(`any ${code.survives} site`),
    );
    expect(cost).toBeLessThanOrEqual(code.survives + 1);
  });
});

test('five sites that shall survive two get three data and two parity shards', () => {
  const code = chooseCode({ siteCount: 5, surviveSites: 2 });
  expect(code).toEqual({ k: 3, m: 2, sites: 5, survives: 2 });
  expect(codeInWords(code)).toBe('survives any 2 sites; costs 1.67x');
});

test('many sites stay within the widest code', () => {
  for (let siteCount = 11; siteCount <= 40; siteCount++) {
    for (let surviveSites = 0; surviveSites < limits.shardsMax; surviveSites++) {
      const { k, m } = chooseCode({ siteCount, surviveSites });
      expect(k + m).toBeLessThanOrEqual(limits.shardsMax);
    }
  }
});
