import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../../src/core/format/facts.ts';
import { chooseCode } from '../../../../src/core/policy/code-choice.ts';
import { planRecoding } from '../../../../src/core/policy/recoding.ts';
import { packIdAt } from '../format/samples.ts';

function pack(i: number, k: number, m: number, change: Partial<PackEntry> = {}): PackEntry {
  return { pack: packIdAt(i), k, m, type: 'data', size: 100, ...change };
}

function codeFor(siteCount: number) {
  return chooseCode({ siteCount, surviveSites: 2 });
}

function planned(
  packs: readonly PackEntry[],
  siteCount: number,
  { bytesMax = 1e9, isExpiring = true } = {},
): string[] {
  const plan = planRecoding(packs, { code: codeFor(siteCount), bytesMax, isExpiring });
  return plan.map(({ reason }) => reason);
}

describe('an old pack', () => {
  test('of full copies is coded once there are sites for it', () => {
    expect(planned([pack(1, 1, 0)], 3)).toEqual([]);
    expect(planned([pack(1, 1, 0)], 5)).toEqual([
      'full copies becomes 3+2: costs 1.67x instead of 3.00x',
    ]);
  });

  test('gets a wider code when that saves enough', () => {
    expect(planned([pack(1, 3, 2)], 8)).toEqual(['3+2 becomes 6+2: costs 1.33x instead of 1.67x']);
    expect(planned([pack(1, 5, 2)], 8)).toEqual([]);
    expect(planned([pack(1, 6, 2)], 8)).toEqual([]);
  });

  test('gets a code that outlives more, whatever it costs', () => {
    const [reason] = planned([pack(1, 4, 1)], 5);
    expect(reason).toBe('4+1 becomes 3+2: survives any 2 sites instead of 1');
  });

  test('that is kept for ever gets one that outlives more, and none that is only cheaper', () => {
    expect(planned([pack(1, 4, 1)], 5, { isExpiring: false })).toHaveLength(1);
    expect(planned([pack(1, 1, 0)], 5, { isExpiring: false })).toEqual([]);
  });

  test('never gets one that outlives less', () => {
    const code = chooseCode({ siteCount: 8, surviveSites: 1 });
    expect(planRecoding([pack(1, 3, 2)], { code, bytesMax: 1e9, isExpiring: true })).toEqual([]);
  });

  test('stays as it is when sites leave: repair adds copies', () => {
    expect(planned([pack(1, 6, 2)], 3)).toEqual([]);
    expect(planned([pack(1, 6, 2)], 5)).toEqual([]);
  });

  test('of metadata lies in full at all, and stays so', () => {
    expect(planned([pack(1, 1, 0, { type: 'metadata' })], 8)).toEqual([]);
  });
});

describe('many packs', () => {
  test('go those that gain most first, as many as fit', () => {
    const packs = [pack(1, 3, 2), pack(2, 1, 0), pack(3, 4, 1), pack(2, 1, 0)];
    const plan = planRecoding(packs, { code: codeFor(8), bytesMax: 250, isExpiring: true });
    expect(plan.map(({ entry }) => entry.pack)).toEqual([packIdAt(3), packIdAt(2)]);
  });
});
