import { describe, expect, test } from 'vitest';
import {
  annualLoss,
  layoutOf,
  lossOfAny,
  lossWithoutRepair,
  meanYearsToLoss,
  nines,
} from '../../../../sim/model/durability.ts';
import { environments, withoutSites } from '../../../../sim/model/environments.ts';
import { simulateLoss } from '../../../../sim/model/monte-carlo.ts';
import { Prng } from '../../../../sim/prng.ts';
import { chooseCode } from '../../../../src/core/policy/code-choice.ts';

const hostsOnly = { hostLossRate: 0.1, siteLossRate: 0 };
const daily = 1 / 365;

describe('the Markov chain', () => {
  test.for([1e-6, 1e-3, 0.1, 10])(
    'gives the closed form of a mirrored pair repaired in %f years',
    (repairYears) => {
      const pair = { k: 1, shards: 2, sites: 2 };
      const [loss, repair] = [0.1, 1 / repairYears];
      const closed = (3 * loss + repair) / (2 * loss ** 2);
      const years = meanYearsToLoss(pair, { ...hostsOnly, repairYears });
      expect(years / closed).toBeCloseTo(1, 10);
    },
  );

  test('gives n steps of a pure death process when repair never comes', () => {
    const layout = { k: 3, shards: 5, sites: 5 };
    const years = meanYearsToLoss(layout, { ...hostsOnly, repairYears: 1e12 });
    expect(years).toBeCloseTo(10 * (1 / 5 + 1 / 4 + 1 / 3), 6);
  });

  test('approaches the MTTDL formula when repair is quick, at losses of 1e-40 too', () => {
    for (const [k, m] of [
      [4, 2],
      [8, 3],
      [6, 6],
    ] as const) {
      const layout = { k, shards: k + m, sites: k + m };
      const repairYears = 1e-7;
      let rate = (k + m) * 0.1;
      for (let left = k; left < k + m; left++) rate *= left * 0.1 * repairYears;
      const years = meanYearsToLoss(layout, { ...hostsOnly, repairYears });
      expect(years * rate).toBeCloseTo(1, 4);
    }
  });

  test('counts a site that holds more than the code spares as one loss', () => {
    const layout = { k: 3, shards: 6, sites: 2 };
    const hazards = { hostLossRate: 0, siteLossRate: 0.01, repairYears: daily };
    const pair = { k: 1, shards: 2, sites: 2 };
    const twoSites = meanYearsToLoss(pair, {
      ...hostsOnly,
      hostLossRate: 0.01,
      repairYears: daily,
    });
    expect(meanYearsToLoss(layout, hazards) / twoSites).toBeCloseTo(1, 10);
    const fragile = { k: 4, shards: 6, sites: 2 };
    expect(meanYearsToLoss(fragile, hazards)).toBeCloseTo(50, 6);
  });

  // The design's table: layout, environments A, B, C with repair within 2, 10, 14 days.
  test.for([
    [1, 3, 3, 7.4, 5.2, 3.6],
    [3, 6, 3, 5.5, 4.5, 3.3],
    [6, 12, 6, 10.5, 7.7, 5.2],
    [10, 14, 7, 6.6, 4.7, 2.8],
  ] as const)('gives the nines of the design for k=%i of %i shards on %i sites', (row) => {
    const [k, shards, sites, ...wanted] = row;
    const found = Object.values(environments).map((rates, i) =>
      nines(
        annualLoss({ k, shards, sites }, { ...rates, repairYears: ([2, 10, 14][i] ?? 0) / 365 }),
      ),
    );
    for (const [i, value] of found.entries()) {
      // The design spreads missing shards evenly over sites, the chain here knows where they were.
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(0.25);
    }
  });

  test('never finds more parity worse, or slower repair better, or lost sites harmless', () => {
    for (const rates of Object.values(environments)) {
      for (let k = 1; k <= 8; k++) {
        for (const m of [1, 2, 3, 4]) {
          const lossOf = (spare: number, days: number, used = rates) =>
            annualLoss(
              { k, shards: k + spare, sites: k + spare },
              { ...used, repairYears: days / 365 },
            );
          expect(lossOf(m + 1, 1)).toBeLessThan(lossOf(m, 1));
          expect(lossOf(m, 10)).toBeGreaterThan(lossOf(m, 1));
          expect(lossOf(m, 1)).toBeGreaterThan(lossOf(m, 1, withoutSites(rates)));
        }
      }
    }
  });
});

describe('the simulation', () => {
  test.for([
    { layout: { k: 1, shards: 2, sites: 2 }, days: 1 },
    { layout: { k: 4, shards: 6, sites: 6 }, days: 30 },
    { layout: { k: 8, shards: 10, sites: 10 }, days: 1 },
    { layout: { k: 3, shards: 6, sites: 3 }, days: 10 },
  ])('agrees with the chain within its interval: $layout repaired in $days days', (given) => {
    const hazards = { ...environments.B, repairYears: given.days / 365 };
    const played = simulateLoss(given.layout, hazards, { prng: new Prng(7), cycles: 15_000 });
    const exact = annualLoss(given.layout, hazards);
    expect(exact).toBeGreaterThan(played.low);
    expect(exact).toBeLessThan(played.high);
    expect(played.high / played.low).toBeLessThan(1.6);
  });

  test('gives the same numbers for the same seed, others for another', () => {
    const play = (seed: number) =>
      simulateLoss(
        { k: 2, shards: 4, sites: 4 },
        { ...environments.C, repairYears: daily },
        { prng: new Prng(seed), cycles: 500 },
      );
    expect(play(3)).toEqual(play(3));
    expect(play(3)).not.toEqual(play(4));
  });
});

test('without repair, copies are lost as the power of what each risks', () => {
  const hazards = { hostLossRate: 0.2, siteLossRate: 0.05, repairYears: 1 };
  const layout = layoutOf(chooseCode({ siteCount: 3, surviveSites: 2 }));
  expect(layout).toEqual({ k: 1, shards: 3, sites: 3 });
  expect(lossWithoutRepair(layout, hazards, 4)).toBeCloseTo((1 - Math.exp(-1)) ** 3, 12);
  const all = { k: 3, shards: 3, sites: 3 };
  expect(lossWithoutRepair(all, hazards, 4)).toBeCloseTo(1 - Math.exp(-3), 12);
});

test('no more than eleven nines are ever stated, and they are rounded down', () => {
  expect(nines(1e-30)).toBe(11);
  expect(nines(0)).toBe(11);
  expect(nines(1.2e-4)).toBe(3.9);
  expect(nines(1)).toBe(0);
});

test('the chance of any loss adds up while small and ends at one', () => {
  expect(lossOfAny(1e-15, 1e6) / 1e-9).toBeCloseTo(1, 6);
  expect(lossOfAny(0.5, 2)).toBeCloseTo(0.75, 12);
  expect(lossOfAny(1e-3, 1e9)).toBe(1);
});
