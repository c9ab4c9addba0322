import { describe, expect, test } from 'vitest';
import { RecentMap } from '../../../src/base/recent-map.ts';

describe('RecentMap', () => {
  test('remembers the newest names, and forgets old ones in the end', () => {
    const map = new RecentMap<number>(3);
    for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) map.set(name, i);
    expect(['c', 'd', 'e'].map((name) => map.get(name))).toEqual([2, 3, 4]);
    for (const [i, name] of ['f', 'g', 'h', 'i', 'j'].entries()) map.set(name, i);
    expect(['a', 'b', 'z'].map((name) => map.get(name))).toEqual([undefined, undefined, undefined]);
  });

  test('keeps what is asked for again and again', () => {
    const map = new RecentMap<string>(3);
    map.set('often', 'asked');
    for (let i = 0; i < 20; i++) {
      map.set(`name ${i}`, '');
      expect(map.get('often')).toBe('asked');
    }
  });
});
