import { expect, test } from 'vitest';
import { crowdedOut, isCrowded, sparedBytes } from '../../../../src/services/tiers/hot-room.ts';
import { packOf } from '../../../support/keeping-sample.ts';

const sizes = ['a', 'b', 'c'].map((name) => [packOf(name), 100] as const);

test('copies leave a tenth free, and make room where less than half of that is left', () => {
  expect(sparedBytes({ whole: 1000 })).toBe(100);
  expect(isCrowded({ free: 50, whole: 1000 })).toBe(false);
  expect(isCrowded({ free: 49, whole: 1000 })).toBe(true);
});

test('those that are wanted least make room, as many as are in the way', () => {
  const held = 300;
  const out = (free: number) => [...crowdedOut({ free, whole: 1000 }, { sizes, held })];
  expect(out(50)).toEqual([]);
  expect(out(49)).toEqual([packOf('c')]);
  expect(out(-50)).toEqual([packOf('c')]);
  expect(out(-51)).toEqual([packOf('b'), packOf('c')]);
  expect(out(-1000)).toHaveLength(3);
});
