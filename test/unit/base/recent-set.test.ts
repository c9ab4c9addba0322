import { describe, expect, test } from 'vitest';
import { RecentSet } from '../../../src/base/recent-set.ts';

describe('RecentSet', () => {
  test('remembers the newest names, and forgets old ones in the end', () => {
    const set = new RecentSet(3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) set.add(name);
    expect(['c', 'd', 'e'].map((name) => set.has(name))).toEqual([true, true, true]);
    for (const name of ['f', 'g', 'h', 'i', 'j']) set.add(name);
    expect(['a', 'b', 'z'].map((name) => set.has(name))).toEqual([false, false, false]);
  });

  test('keeps what is asked for again and again', () => {
    const set = new RecentSet(3);
    set.add('often');
    for (let i = 0; i < 20; i++) {
      set.add(`name ${i}`);
      expect(set.has('often')).toBe(true);
    }
  });
});
