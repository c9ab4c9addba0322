import { describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../../../../src/base/units.ts';
import { drillState } from '../../../../src/core/policy/drill-due.ts';
import { type DrillFacts, judgeDrill } from '../../../../src/core/policy/drill-verdict.ts';
import { hoursOf, isWithin } from '../../../../src/core/policy/load-window.ts';

const good: DrillFacts = {
  objectives: {},
  times: { rtoMs: hourMs, rpoMs: 2 * hourMs },
  isRtoReckoned: false,
  restored: {
    ...{ files: 3, directories: 1, others: 0, bytes: 10, bytesFetched: 5, packsDecoded: 1 },
    ...{ bytesPerSecond: 10, lost: 0, problems: 0 },
  },
  fidelity: { entries: 4, chunks: 3, bytes: 10, mismatches: 0, limited: 0 },
  checks: [{ kind: 'command', outcome: 'healthy' }],
  sites: ['bergen', 'oslo'],
};

function outcome(change: Partial<DrillFacts>): string {
  return judgeDrill({ ...good, ...change }).outcome;
}

describe('a drill', () => {
  test('has passed when everything came back as it was, and nobody has set objectives', () => {
    expect(outcome({})).toBe('passed');
  });

  test.each<[string, Partial<DrillFacts>]>([
    ['a file could not be had', { restored: { ...good.restored, lost: 1 } }],
    ['an entry is not as in the snapshot', { fidelity: { ...good.fidelity, mismatches: 1 } }],
    ['the live files differ', { fidelity: { ...good.fidelity, liveDifferences: 2 } }],
    ['bytes came from a site that counts as lost', { without: ['oslo'] }],
    ['a check says that it is sick', { checks: [{ kind: 'tcp', outcome: 'sick' }] }],
  ])('has failed when %s, however fast it was', (_, change) => {
    expect(outcome({ ...change, objectives: { rtoMs: dayMs } })).toBe('failed');
  });

  test.each<[string, Partial<DrillFacts>]>([
    ['it took longer than the RTO', { objectives: { rtoMs: hourMs - 1 } }],
    ['the newest snapshot is older than the RPO', { objectives: { rpoMs: hourMs } }],
    ['nothing is committed', { objectives: { rpoMs: dayMs }, times: { rtoMs: 1 } }],
    ['a fault was seen too late', { objectives: { detectMs: 9 }, times: { detectMs: 10 } }],
    ['a fault did harm too long', { objectives: { containMs: 9 }, times: { containMs: 10 } }],
  ])('has missed an objective when %s', (_, change) => {
    expect(outcome(change)).toBe('missed');
  });

  test('has met objectives that it just reaches', () => {
    expect(outcome({ objectives: { rtoMs: hourMs, rpoMs: 2 * hourMs } })).toBe('passed');
  });

  test('says of each criterion whether it was met, and of a check that was skipped that it was', () => {
    const { criteria } = judgeDrill({ ...good, checks: [{ kind: 'command', outcome: 'skipped' }] });
    expect(criteria.at(-1)).toEqual({ name: 'check 1 (command)', isMet: true, detail: 'skipped' });
  });
});

describe('a dataset', () => {
  const at = { everyMs: 30 * dayMs, sinceMs: 0, lastMs: undefined, nowMs: 40 * dayMs };

  test.each([
    ['unasked', { everyMs: undefined }],
    ['waiting', { nowMs: 30 * dayMs }],
    ['never', {}],
    ['current', { lastMs: 10 * dayMs }],
    ['overdue', { lastMs: 10 * dayMs - 1 }],
  ])('is %s', (state, change) => {
    expect(drillState({ ...at, ...change })).toBe(state);
  });
});

describe('hours of a day', () => {
  test('may pass midnight', () => {
    const hours = hoursOf('22:00-06:30');
    expect([21, 22, 3, 6, 7].map((hour) => isWithin(hours, 5 * dayMs + hour * hourMs))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  test('are no text of another form, and never empty', () => {
    for (const text of ['', '22-06', '24:00-06:00', '6:00-7:00', '06:00-06:00', '06:60-07:00']) {
      expect(hoursOf(text)).toBeUndefined();
    }
    expect(isWithin(undefined, 0)).toBe(true);
  });
});
