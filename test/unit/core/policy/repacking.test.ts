import { describe, expect, test } from 'vitest';
import { isMostlyDead, planRepacking } from '../../../../src/core/policy/repacking.ts';

describe('packs of which little is needed', () => {
  test('are those below the share that the rule names', () => {
    const rule = { belowPercent: 30 };
    expect(isMostlyDead({ usedBytes: 299, chunkBytes: 1000 }, rule)).toBe(true);
    expect(isMostlyDead({ usedBytes: 300, chunkBytes: 1000 }, rule)).toBe(false);
    expect(isMostlyDead({ usedBytes: 0, chunkBytes: 1000 }, { belowPercent: 0 })).toBe(false);
  });

  test('go where that wins most, and never cost more than the bound', () => {
    const packs = [
      { ordinal: 1, usedBytes: 200, chunkBytes: 1000 },
      { ordinal: 2, usedBytes: 10, chunkBytes: 1000 },
      { ordinal: 3, usedBytes: 250, chunkBytes: 1000 },
      { ordinal: 4, usedBytes: 10, chunkBytes: 1000 },
    ];
    const planned = planRepacking(packs, { bytesMax: 220 });
    expect(planned.map(({ ordinal }) => ordinal)).toEqual([2, 4, 1]);
    expect(planRepacking(packs, { bytesMax: 9 })).toEqual([]);
  });
});
