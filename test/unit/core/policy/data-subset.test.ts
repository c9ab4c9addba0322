import { expect, test } from 'vitest';
import { parseDataSubset, subsetOf } from '../../../../src/core/policy/data-subset.ts';
import { packIdAt } from '../format/samples.ts';

const packs = Array.from({ length: 100 }, (_, i) => packIdAt(i));
const last = (count: number): number => count - 1;

test('parts together are all packs, and none twice', () => {
  const parts = [1, 2, 3].flatMap((part) => [...subsetOf(packs, { part, of: 3 }, last)]);
  expect(parts.toSorted()).toEqual(packs.toSorted());
});

test('a share is so many packs, one at least, all different', () => {
  expect(subsetOf(packs, { share: 0.25 }, last).size).toBe(25);
  expect(subsetOf(packs, { share: 0.001 }, () => 0).size).toBe(1);
  expect(subsetOf(packs, { share: 1 }, () => 0)).toEqual(new Set(packs));
  expect(subsetOf([], { share: 1 }, last).size).toBe(0);
});

test('what is neither a part nor a share is nothing', () => {
  expect(parseDataSubset('2/30')).toEqual({ part: 2, of: 30 });
  expect(parseDataSubset('12.5%')).toEqual({ share: 0.125 });
  for (const text of ['', '0/2', '3/2', '1/2000', '0%', '100.1%', '1.5/2', '-1%', '5G']) {
    expect(parseDataSubset(text), text).toBeUndefined();
  }
});
