import { describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../../../../src/base/units.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import {
  dataMaskOf,
  type HotHost,
  hotHostOf,
  hotObjections,
  isHot,
} from '../../../../src/core/policy/hot-copy.ts';
import { termsOf } from '../../../../src/core/policy/policy-terms.ts';
import { packOf } from '../../../support/keeping-sample.ts';

const ruleOf = (hot: { sites: string[]; for?: string }, regions?: string[]) => {
  const rule = { match: '*', tiers: { hot }, ...(regions === undefined ? {} : { regions }) };
  const [first] = termsOf({ datasets: [rule] }, 1).rules;
  if (first === undefined) throw new Error('there is a rule');
  return first;
};

describe('a snapshot', () => {
  test('is hot as long as the policy says, or for ever', () => {
    const week = ruleOf({ sites: ['ams1'], for: '7d' });
    expect(isHot(week, 7 * dayMs - 1)).toBe(true);
    expect(isHot(week, 7 * dayMs)).toBe(false);
    expect(isHot(ruleOf({ sites: ['ams1'] }), 1000 * dayMs)).toBe(true);
    expect(isHot({ match: '*' }, 0)).toBe(false);
  });

  test('whose age nobody knows is young: nothing is removed for want of a clock', () => {
    expect(isHot(ruleOf({ sites: ['ams1'], for: '1h' }), undefined)).toBe(true);
    expect(isHot(ruleOf({ sites: ['ams1'], for: '1h' }), hourMs)).toBe(false);
  });
});

describe('of several hosts at a site', () => {
  const entry = { pack: packOf('a'), k: 3 };
  const host = (name: string, mask = 0, hasRoom = true): HotHost => ({
    agent: name.repeat(64) as AgentKey,
    mask,
    hasRoom,
  });

  test('each holds some of the packs, and always the same', () => {
    const hosts = ['1', '2', '3'].map((name) => host(name));
    const packs = Array.from({ length: 60 }, (_, i) => ({ pack: packOf(`${i}`), k: 3 }));
    const chosen = packs.map((pack) => hotHostOf(pack, hosts));
    expect(new Set(chosen).size).toBe(3);
    expect(packs.map((pack) => hotHostOf(pack, hosts.toReversed()))).toEqual(chosen);
  });

  test('the one that has the copy keeps it, even when its disk is full', () => {
    const whole = host('2', 0b111, false);
    expect(hotHostOf(entry, [host('1'), whole, host('3')])).toBe(whole.agent);
    expect(hotHostOf(entry, [host('1', 0b011, false), host('3')])).toBe('3'.repeat(64));
    expect(hotHostOf(entry, [host('1', 0, false)])).toBe('1'.repeat(64));
    expect(hotHostOf(entry, [])).toBeUndefined();
  });
});

test('a full copy is all data shards, of a replicated pack the one', () => {
  expect([1, 4, 8].map((k) => dataMaskOf({ k }))).toEqual([1, 0b1111, 0xff]);
});

describe('a rule is objected to', () => {
  const members = [
    { site: 'ams1', region: 'eu-west', hasStorage: true },
    { site: 'nyc1', region: 'us-east', hasStorage: true },
    { site: 'lab', region: 'eu-west', hasStorage: false },
  ];

  test.each([
    ['osl1', undefined, 'tiers.hot.sites[0]: there is no site osl1; there are ams1, lab, nyc1'],
    ['lab', undefined, 'tiers.hot.sites[0]: no host at lab stores anything (role storage)'],
    ['nyc1', ['eu-*'], 'nyc1 is in region us-east, and the rule keeps its data in eu-*'],
  ])('that wants a copy at %s', (site, regions, words) => {
    expect(hotObjections(ruleOf({ sites: [site] }, regions), members).join()).toContain(words);
  });

  test('not where a copy can be', () => {
    expect(hotObjections(ruleOf({ sites: ['ams1', 'nyc1'] }), members)).toEqual([]);
    expect(hotObjections(ruleOf({ sites: ['ams1'] }, ['eu-*']), members)).toEqual([]);
    expect(hotObjections({ match: '*' }, members)).toEqual([]);
  });
});
