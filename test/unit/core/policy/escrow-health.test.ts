import { expect, test } from 'vitest';
import { dayMs } from '../../../../src/base/units.ts';
import { escrowHealth } from '../../../../src/core/policy/escrow-health.ts';

/** Split on day 0 into three shares of which two make the kit; on which days each was shown. */
function healthOn(day: number, shown: readonly (number | undefined)[], isOutdated = false) {
  const names = ['ada', 'ben', 'cleo'];
  const custodians = names.map((name, i) => {
    const at = shown[i];
    return { name, provedMs: at === undefined ? undefined : at * dayMs };
  });
  return escrowHealth({ threshold: 2, timeMs: 0, isOutdated, custodians }, day * dayMs);
}

test('nobody has to show a share before a quarter has passed', () => {
  expect(healthOn(70, [])).toMatchObject({ state: 'recoverable', alive: 3, words: undefined });
});

test('shares are asked for two weeks before they are due', () => {
  const { state, words } = healthOn(80, [75, undefined, undefined]);
  expect(state).toBe('due');
  expect(words).toContain('within 14 days by ben, cleo');
});

test.each([
  ['one of three is late, and just enough are left', [90, 90], 'bare', 'just 2 shares'],
  ['two of three are late', [90], 'lost', '1 of 3 have shown'],
  ['all are late', [], 'lost', 'overdue: ada, ben, cleo'],
] as const)('it tells when %s', (_, shown, state, words) => {
  const health = healthOn(100, shown);
  expect(health.state).toBe(state);
  expect(health.words).toContain(words);
});

test('with shares to spare it names who is late', () => {
  const custodians = ['a', 'b', 'c', 'd'].map((name, i) => {
    return { name, provedMs: i === 0 ? undefined : 90 * dayMs };
  });
  const facts = { threshold: 2, timeMs: 0, isOutdated: false, custodians };
  const { state, words } = escrowHealth(facts, 100 * dayMs);
  expect([state, words]).toEqual(['overdue', expect.stringContaining('overdue: a: ask')]);
});

test('shares of a kit that was replaced make nothing, however lately they were shown', () => {
  expect(healthOn(1, [1, 1, 1], true)).toMatchObject({ state: 'lost' });
});
