import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../../src/core/format/facts.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import {
  assessDurability,
  type Durability,
  type Holding,
} from '../../../../src/core/policy/durability.ts';
import { repairGoal } from '../../../../src/core/policy/repair-plan.ts';
import { packIdAt } from '../format/samples.ts';

function packOf(k: number, m: number, i = 0): PackEntry {
  return { pack: packIdAt(i), k, m, type: 'data', size: 1000 };
}

/** Site i holds the masks given for it, one a pack. */
function heldBy(...sites: readonly (readonly number[])[]): Holding[] {
  return sites.map((masks, i) => ({
    agent: String(i).repeat(64) as AgentKey,
    site: `site-${i}`,
    masks: Uint32Array.from(masks),
  }));
}

function assess(
  packs: readonly PackEntry[],
  holdings: readonly Holding[],
  more: { siteCount?: number; surviveSites?: number; wanted?: number } = {},
): Durability {
  const { siteCount = holdings.length, surviveSites = 1, wanted } = more;
  return assessDurability({
    packs,
    holdings,
    siteCount,
    surviveSites,
    wantedSites: (pack) => wanted ?? Math.min(siteCount, pack.k + pack.m),
    wantedTolerance: (pack) => repairGoal(pack, { surviveSites, siteCount }),
  });
}

/** The largest t so that every pack outlives every loss of t sites, by trying all. */
function bruteForce(packs: readonly PackEntry[], holdings: readonly Holding[]): number {
  const count = holdings.length;
  let most = count - 1;
  for (let lost = 0; lost < 2 ** count; lost++) {
    const isLeft = (site: number): boolean => ((lost >>> site) & 1) === 0;
    const isWhole = packs.every((pack, i) => {
      let union = 0;
      for (const [site, { masks }] of holdings.entries()) {
        if (isLeft(site)) union |= masks[i] as number;
      }
      return onesIn(union >>> 0) >= pack.k;
    });
    const lostCount = onesIn(lost);
    if (lostCount < count && isWhole) continue;
    most = Math.min(most, lostCount - 1);
  }
  return most;
}

function onesIn(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}

describe('how many sites may fail', () => {
  const scene = fc
    .record({ k: fc.integer({ min: 1, max: 5 }), m: fc.integer({ min: 0, max: 4 }) })
    .chain(({ k, m }) => {
      const mask = fc.nat(2 ** (k + m) - 1);
      const masks = fc.array(mask, { minLength: 2, maxLength: 2 });
      return fc.record({
        packs: fc.constant([packOf(k, m, 0), packOf(k, m, 1)]),
        sites: fc.array(masks, { minLength: 1, maxLength: 6 }),
      });
    });

  test('is what trying every loss says, for any shards at any sites', () => {
    fc.assert(
      fc.property(scene, ({ packs, sites }) => {
        const holdings = heldBy(...sites);
        const { sitesMayFail, isRecoverable, lostPacks } = assess(packs, holdings);
        expect(sitesMayFail).toBe(bruteForce(packs, holdings));
        expect(isRecoverable).toBe(sitesMayFail >= 0);
        expect(lostPacks > 0).toBe(!isRecoverable);
      }),
      { numRuns: 1500 },
    );
  });

  test('is not taken in by sites that hold the same shards', () => {
    // Losing the two sites that hold a shard nobody else has is enough, large as the others are.
    const holdings = heldBy([0b0011], [0b0011], [0b0011], [0b0100], [0b1000]);
    expect(assess([packOf(3, 1)], holdings).sitesMayFail).toBe(1);
  });

  test('counts a site once, however many hosts it has', () => {
    const [one, two, three] = heldBy([0b001], [0b010], [0b100]) as [Holding, Holding, Holding];
    const together = [one, { ...two, site: one.site }, three];
    expect(assess([packOf(2, 1)], together, { siteCount: 2 })).toMatchObject({
      sitesMayFail: 0,
      sites: ['site-0', 'site-2'],
    });
  });

  test('takes the weakest pack', () => {
    const holdings = heldBy([1, 0b001], [1, 0b010], [1, 0b100]);
    expect(assess([packOf(1, 0, 0), packOf(2, 1, 1)], holdings).sitesMayFail).toBe(1);
  });

  test('reads the thirty-second shard as a shard, not as a sign', () => {
    const holdings = heldBy([0x8000_0000], [1]);
    expect(assess([packOf(2, 30)], holdings, { wanted: 2 })).toMatchObject({ sitesMayFail: 0 });
  });

  test('counts no shards that the code does not have', () => {
    const holdings = heldBy([0xffff_fff8], [0b001], [0xffff_fff8]);
    expect(assess([packOf(2, 1)], holdings)).toMatchObject({ lostPacks: 1, sitesMayFail: -1 });
  });

  test('of a snapshot without packs is bound by its manifest alone', () => {
    expect(assess([], heldBy([], [], [])).sitesMayFail).toBe(2);
  });

  test('of nothing signed is none', () => {
    expect(assess([packOf(1, 0)], [], { siteCount: 3 })).toEqual({
      state: 'staged',
      isRecoverable: false,
      sitesMayFail: -1,
      lostPacks: 1,
      degradedPacks: 1,
      sites: [],
    });
  });
});

describe('a snapshot', () => {
  const pack = packOf(3, 2);

  test('is staged while a pack lacks shards', () => {
    const holdings = heldBy([0b00001], [0b00010], [0]);
    expect(assess([pack], holdings, { siteCount: 5, surviveSites: 2 })).toMatchObject({
      state: 'staged',
      lostPacks: 1,
      sitesMayFail: -1,
    });
  });

  test('is placed, not committed, while each pack can be had but not one more site may fail', () => {
    const holdings = heldBy([0b00001], [0b00010], [0b00100]);
    expect(assess([pack], holdings, { siteCount: 5, surviveSites: 2 })).toMatchObject({
      state: 'placed',
      lostPacks: 0,
      degradedPacks: 1,
      sitesMayFail: 0,
    });
  });

  test('is committed when k + 1 sites hold each pack and enough the manifest', () => {
    const holdings = heldBy([0b00001], [0b00010], [0b00100], [0b01000]);
    expect(assess([pack], holdings, { siteCount: 5, surviveSites: 2 })).toMatchObject({
      state: 'committed',
      degradedPacks: 1,
      sitesMayFail: 1,
    });
  });

  test('is not committed while the manifest stands at no more sites than may be lost', () => {
    const copies = packOf(1, 0);
    const more = { siteCount: 5, surviveSites: 2 };
    expect(assess([copies], heldBy([1], [1]), more).state).toBe('placed');
    expect(assess([copies], heldBy([1], [1], [1]), more).state).toBe('committed');
  });

  test('is committed at all sites where there are fewer than wanted', () => {
    const more = { siteCount: 1, surviveSites: 2 };
    expect(assess([packOf(1, 0)], heldBy([1]), more)).toMatchObject({
      state: 'committed',
      sitesMayFail: 0,
    });
  });

  test('is committed at one site when the policy asks to survive nothing', () => {
    const more = { siteCount: 3, surviveSites: 0, wanted: 1 };
    expect(assess([packOf(1, 0)], heldBy([1]), more).state).toBe('committed');
  });

  test('lacks nothing where as many sites may fail as the policy asks for, whoever holds nothing', () => {
    const policy = { siteCount: 5, surviveSites: 2 };
    const copies = packOf(1, 0);
    expect(assess([copies], heldBy([1], [1], [1], [0], [0]), policy).degradedPacks).toBe(0);
    expect(assess([copies], heldBy([1], [1], [0], [0], [0]), policy).degradedPacks).toBe(1);
    // Copies that a repair has made while the fifth site was lost.
    const moved = heldBy([0b00011], [0b01100], [0b10001], [0b01010], [0]);
    expect(assess([pack], moved, policy)).toMatchObject({ sitesMayFail: 2, degradedPacks: 0 });
    const crowded = heldBy([0b00001], [0b00010], [0b00100], [0b01000], [0b01000]);
    expect(assess([pack], crowded, policy)).toMatchObject({ sitesMayFail: 1, degradedPacks: 1 });
  });

  test('does not rest on what is there only as part of a full copy', () => {
    const full = heldBy([0b11111], [0b11111], [0b11111], [0b01000], [0]);
    const policy = { siteCount: 5, surviveSites: 2 };
    expect(assess([pack], full, policy)).toMatchObject({ sitesMayFail: 2, degradedPacks: 0 });
    const holdings = full.map((one, i) => ({
      ...one,
      extras: Uint8Array.of(i < 3 ? 0b11111 & ~(1 << i) : 0),
    }));
    expect(assess([pack], holdings, policy)).toMatchObject({ sitesMayFail: 2, degradedPacks: 1 });
  });

  test('that is committed can lose a site, when the policy asks for that', () => {
    const held = fc.array(fc.nat(31), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(held, (masks) => {
        const holdings = heldBy(...masks.map((mask) => [mask]));
        const { state, sitesMayFail } = assess([pack], holdings, { surviveSites: 2 });
        if (state === 'committed') expect(sitesMayFail).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });
});
