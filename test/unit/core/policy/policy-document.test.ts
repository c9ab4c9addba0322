import { describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../../src/base/bytes.ts';
import { dayMs, GiB, hourMs } from '../../../../src/base/units.ts';
import { isNameLike } from '../../../../src/core/policy/name-pattern.ts';
import { policyLimits } from '../../../../src/core/policy/policy-document.ts';
import { durationOf, durationText, sizeOf } from '../../../../src/core/policy/policy-quantity.ts';
import {
  isRegionAllowed,
  ruleFor,
  termsOf,
  writerBudgetFor,
} from '../../../../src/core/policy/policy-terms.ts';
import {
  decodePolicy,
  encodePolicy,
  parsePolicy,
} from '../../../../src/core/policy/policy-text.ts';
import { policy } from '../../../vectors/control/samples.ts';

describe('a policy document', () => {
  test('has one text, whatever the order of its keys and the space between them', () => {
    const bytes = encodePolicy(policy);
    const turned = JSON.stringify(
      Object.fromEntries(Object.entries(policy).reverse()),
      undefined,
      2,
    );
    expect(encodePolicy(parsePolicy(turned))).toEqual(bytes);
    expect(decodePolicy(bytes)).toEqual(policy);
    expect(() => decodePolicy(utf8(turned))).toThrow('not in canonical form');
    expect(fromUtf8(encodePolicy({}))).toBe('{}');
  });

  test.each([
    [{ survive: { sites: -1 } }, 'survive.sites: must be a whole number from 0 to'],
    [{ survive: {} }, 'survive.sites: is missing'],
    [{ siteLostAfter: '29s' }, 'siteLostAfter: must be from 30s to 30d'],
    [{ siteLostAfter: 30 }, 'siteLostAfter: must be a text'],
    [{ siteLostAfter: '1h30m' }, 'siteLostAfter: must be a whole number and one of s, m, h'],
    [{ writers: [{ match: '*' }] }, 'writers[0].budget: is missing'],
    [
      { writers: [{ match: '*', budget: { statementsPerDay: 5 } }] },
      'writers[0].budget.statementsPerDay: must be a whole number from 100 to',
    ],
    [
      { writers: [{ match: '*', budget: { statementBytesPerDay: '0B' } }] },
      'writers[0].budget.statementBytesPerDay: must be a whole number and one of B, KiB',
    ],
    [{ failover: { action: 'hope' } }, 'failover.action: must be one of "alert"'],
    [
      { failover: { standby: [{ dataset: 'db', site: 'x' }] } },
      'failover.standby[0].dataset: must',
    ],
    [
      {
        failover: {
          standby: [
            { dataset: 'ab'.repeat(16), site: 'x' },
            { dataset: 'ab'.repeat(16), site: 'y' },
          ],
        },
      },
      'failover.standby: two rules of dataset',
    ],
    [{ decreeNotice: '31d' }, 'decreeNotice: must be'],
    [{ destructiveDelay: '2y' }, 'destructiveDelay: must be'],
    [{ expiry: { vetoo: '7d' } }, 'expiry.vetoo: is not known here, known are trash, veto'],
    [{ datasets: [{}] }, 'datasets[0].match: is missing'],
    [{ datasets: [{ match: '*', retention: {} }] }, 'datasets[0].retention: keeps nothing'],
    [{ datasets: [{ match: '*', retention: { keepLast: 0 } }] }, 'retention: keeps nothing'],
    [{ datasets: [{ match: '*', retention: { keepLast: 1.5 } }] }, 'keepLast: must be a whole'],
    [{ datasets: [{ match: '*', retention: { keepTags: ['a,b'] } }] }, 'keepTags[0]: "a,b"'],
    [{ datasets: [{ match: '*', lock: { mode: 'governance' } }] }, 'lock.for: is missing'],
    [{ datasets: [{ match: '*', lock: { mode: 'none', for: '1d' } }] }, 'lock.for: is not known'],
    [{ datasets: [{ match: '*', tiers: { hot: { for: '7d' } } }] }, 'tiers.hot.sites: is missing'],
    [{ datasets: [{ match: '*', tiers: { hot: { sites: [] } } }] }, 'tiers.hot.sites: has 0 items'],
    [
      { datasets: [{ match: '*', tiers: { hot: { sites: ['A 1'] } } }] },
      'sites[0]: "A 1" does not',
    ],
    [{ datasets: [{ match: '*', budget: { total: '1TB' } }] }, 'budget.total: must be a whole'],
    [{ datasets: [{ match: '*', budget: { total: '0B' } }] }, 'budget.total: must be a whole'],
    [{ datasets: [{ match: '*', regions: [] }] }, 'regions: has 0 items'],
    [{ datasets: [{ match: '*', regions: ['eu', 'eu'] }] }, 'regions: twice: "eu"'],
    [{ datasets: [{ match: '*', restore: { approvals: 17 } }] }, 'approvals: must be'],
    [{ datasets: [{ match: '*', tripwire: { changedPercent: 101 } }] }, 'changedPercent: must'],
    [{ datasets: [{ match: '*', tripwire: { canaries: ['etc'] } }] }, 'canaries[0]: "etc"'],
    [{ retention: {} }, 'retention: is not known here, known are datasets, decreeNotice'],
    [[], 'policy: must be an object'],
    [null, 'policy: must be an object'],
  ])('says which key is wrong and what is allowed: %j', (value, message) => {
    expect(() => parsePolicy(JSON.stringify(value))).toThrow(message);
  });

  test('a key that would reach a prototype is a key like any other', () => {
    expect(() => parsePolicy('{"__proto__": {"survive": {"sites": 9}}}')).toThrow('is not known');
  });

  test('is refused when it is no JSON, or too long to be read by a person', () => {
    expect(() => parsePolicy('{"survive":')).toThrow('the policy is not JSON');
    const datasets = Array.from({ length: policyLimits.rulesMax }, () => ({
      match: 'x'.repeat(120),
      regions: ['y'.repeat(60)],
    }));
    expect(() => encodePolicy({ datasets })).toThrow('bytes, at most');
    expect(() => encodePolicy({ datasets: [...datasets, { match: 'x' }] })).toThrow('257 items');
  });
});

describe('what a policy means', () => {
  test('what it does not say is as the genesis and the defaults have it', () => {
    expect(termsOf({}, 2)).toMatchObject({
      surviveSites: 2,
      destructiveDelayMs: 72 * hourMs,
      expiry: { vetoMs: 7 * dayMs, trashMs: 7 * dayMs },
      failover: { action: 'alert', rules: [] },
    });
  });

  test('the first rule that fits a name counts, and none asks for nothing', () => {
    const terms = termsOf(
      { datasets: [{ match: 'db-*', budget: { perDay: '50GiB' } }, { match: 'db-x' }] },
      1,
    );
    expect(ruleFor(terms, 'db-x')).toEqual({
      match: 'db-*',
      budget: { perDay: 50 * GiB, over: 'refuse' },
    });
    expect(ruleFor(terms, 'web')).toEqual({ match: '*' });
  });

  test('a member may say what 50 datasets need every hour, and more where a rule allows it', () => {
    const none = writerBudgetFor(termsOf({}, 1), 'db1');
    expect(none).toEqual({ statementsPerDay: 5000, statementBytesPerDay: GiB });
    expect(none.statementsPerDay).toBeGreaterThan(4 * 24 * 50);
    const terms = termsOf(
      {
        writers: [
          { match: 'db*', budget: { perDay: '2GiB', statementsPerDay: 9000 } },
          { match: '*', budget: { total: '3GiB', statementBytesPerDay: '4GiB' } },
        ],
      },
      1,
    );
    const db = { perDay: 2 * GiB, statementsPerDay: 9000, statementBytesPerDay: GiB };
    expect(writerBudgetFor(terms, 'db1')).toEqual(db);
    const other = { total: 3 * GiB, statementsPerDay: 5000, statementBytesPerDay: 4 * GiB };
    expect(writerBudgetFor(terms, 'web')).toEqual(other);
  });

  test('a lock of mode none is no lock', () => {
    const terms = termsOf({ datasets: [{ match: '*', lock: { mode: 'none' } }] }, 1);
    expect(ruleFor(terms, 'db').lock).toBeUndefined();
  });

  test('regions bind by their patterns', () => {
    const rule = { match: '*', regions: ['eu-*', 'north'] };
    expect(['eu-west', 'north', 'us', 'eu'].map((one) => isRegionAllowed(rule, one))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(isRegionAllowed({ match: '*' }, 'us')).toBe(true);
  });
});

describe('names, durations and sizes', () => {
  test.each([
    ['db', 'db', true],
    ['db', 'd?', true],
    ['db', 'db?', false],
    ['', '*', true],
    ['', '', true],
    ['db-old-x', 'db-*-x', true],
    ['aXbXc', 'a*b*c', true],
    ['abab', '*ab', true],
    ['abac', '*ab', false],
    ['a.b', 'a?b', true],
    ['axb', 'a.b', false],
  ])('%j is like %j: %s', (name, pattern, isLike) => {
    expect(isNameLike(name, pattern)).toBe(isLike);
  });

  test('a pattern of many stars takes no longer than both lengths allow', () => {
    expect(isNameLike('a'.repeat(128), `${'a*'.repeat(63)}b`)).toBe(false);
  });

  test('they have one form', () => {
    expect(['72h', '1y', '0s', '1w'].map(durationOf)).toEqual([
      72 * hourMs,
      365 * dayMs,
      0,
      7 * dayMs,
    ]);
    expect(['72', '1h30m', ' 1h', '01h', '-1h', '1ms', '1H'].map(durationOf)).toEqual(
      Array.from({ length: 7 }),
    );
    expect(['1GiB', '5B', '1TB', '1.5GiB', '9999999999999TiB'].map(sizeOf)).toEqual([
      GiB,
      5,
      undefined,
      undefined,
      undefined,
    ]);
    expect([5_400_000, 0, 7 * dayMs, 1500].map(durationText)).toEqual([
      '90m',
      '0s',
      '1w',
      undefined,
    ]);
  });
});
