import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import type { Retention } from '../../../../src/core/policy/policy-terms.ts';
import { retain, type SnapshotFacts } from '../../../../src/core/policy/retention.ts';
import { bucketOf } from '../../../../src/core/policy/time-bucket.ts';

const startMs = Date.UTC(2026, 0, 1);

function snapshot(
  sequence: number,
  afterMs: number,
  change: Partial<SnapshotFacts> = {},
): SnapshotFacts {
  return {
    sequence,
    witnessedMs: startMs + afterMs,
    isCommitted: true,
    isSuspect: false,
    tags: [],
    keptBecause: undefined,
    isForgotten: false,
    ...change,
  };
}

/** `count` snapshots, from the first of January on. */
function every(stepMs: number, count: number): SnapshotFacts[] {
  return Array.from({ length: count }, (_, i) => snapshot(i + 1, i * stepMs));
}

function kept(
  line: readonly SnapshotFacts[],
  rule: Retention | undefined,
  nowMs?: number,
): number[] {
  const last = line.at(-1)?.witnessedMs ?? startMs;
  return retain(line, { rule, nowMs: nowMs ?? last })
    .filter(({ isKept }) => isKept)
    .map(({ sequence }) => sequence);
}

describe('retention', () => {
  test('keeps everything where the policy says nothing', () => {
    expect(kept(every(dayMs, 5), undefined)).toEqual([1, 2, 3, 4, 5]);
  });

  test('keeps the first of each of the last days, weeks, months and years, and the newest', () => {
    const line = every(6 * hourMs, 4 * 40);
    expect(kept(line, { keepDaily: 2 })).toEqual([153, 157, 160]);
    expect(kept(line, { keepWeekly: 2 })).toEqual([129, 157, 160]);
    expect(kept(line, { keepMonthly: 2 })).toEqual([1, 125, 160]);
    expect(kept(line, { keepYearly: 3 })).toEqual([1, 160]);
  });

  test('gives each decision its reasons', () => {
    const decisions = retain(every(dayMs, 3), { rule: { keepLast: 1, keepDaily: 2 }, nowMs: 0 });
    expect(decisions).toEqual([
      { sequence: 1, isKept: false, reasons: ['no rule keeps it'] },
      { sequence: 2, isKept: true, reasons: ['first of day 2026-01-02 (2 of 2 daily)'] },
      {
        sequence: 3,
        isKept: true,
        reasons: [
          'the newest that is committed',
          'last 1 of 1',
          'first of day 2026-01-03 (1 of 2 daily)',
        ],
      },
    ]);
  });

  test('keeps the first snapshot of a new day while log time is behind', () => {
    const line = [23, 24.2, 24.3].map((hours, i) => snapshot(i + 1, hours * hourMs));
    const behindMs = startMs + 23.5 * hourMs;
    for (const nowMs of [behindMs, startMs + 24.4 * hourMs]) {
      expect(kept(line, { keepDaily: 2 }, nowMs)).toEqual([1, 2, 3]);
    }
    expect(kept(line, { keepLast: 1 }, behindMs)).toEqual([1, 2, 3]);
    expect(kept(line, { keepLast: 1 })).toEqual([2, 3]);
  });

  test('keeps the past though witnesses that are ahead put days to come after it', () => {
    const ahead = [10, 20, 30, 40, 50].map((day, i) => snapshot(5 + i, day * dayMs));
    const line = [...every(dayMs, 4), ...ahead];
    expect(kept(line, { keepDaily: 3 }, startMs + 3.5 * dayMs)).toEqual([2, 3, 4, 7, 8, 9]);
  });

  test('keeps what is younger than a span, by log time', () => {
    const line = every(dayMs, 10);
    expect(kept(line, { keepWithinMs: 3 * dayMs })).toEqual([8, 9, 10]);
    expect(kept(line, { keepWithinMs: 3 * dayMs }, startMs + 11 * dayMs)).toEqual([10]);
  });

  test('keeps tags, pins and holds, and lets go what is forgotten', () => {
    const line = [
      snapshot(1, 0, { tags: ['gold'] }),
      snapshot(2, dayMs, { keptBecause: 'held: case 12' }),
      snapshot(3, 2 * dayMs, { isForgotten: true }),
      snapshot(4, 3 * dayMs),
      snapshot(5, 4 * dayMs),
    ];
    expect(kept(line, { keepTags: ['gold'] })).toEqual([1, 2, 5]);
    expect(kept(line, undefined)).toEqual([1, 2, 4, 5]);
  });

  test('always keeps the newest committed one, and what is still on its way', () => {
    const line = [
      snapshot(1, 0),
      snapshot(2, 1),
      snapshot(3, 2, { isCommitted: false, witnessedMs: undefined }),
    ];
    expect(kept(line, {})).toEqual([2, 3]);
  });

  test('lets go of what never became complete, a week after something newer did', () => {
    const line = [snapshot(1, 0, { isCommitted: false }), snapshot(2, hourMs)];
    expect(kept(line, {}, startMs + 6 * dayMs)).toEqual([1, 2]);
    expect(kept(line, {}, startMs + 8 * dayMs)).toEqual([2]);
  });

  test('keeps what looks suspect and the newest clean one; the suspect count for no rule', () => {
    const line = every(dayMs, 6).map((one) => ({ ...one, isSuspect: one.sequence > 3 }));
    expect(kept(line, { keepLast: 1 })).toEqual([3, 4, 5, 6]);
    expect(kept(line, { keepDaily: 2 })).toEqual([2, 3, 4, 5, 6]);
  });
});

describe('whoever has taken over a source', () => {
  const rule: Retention = { keepLast: 5, keepHourly: 4, keepDaily: 7, keepWeekly: 3 };
  const honest = every(hourMs, 24 * 20);
  const before = kept(honest, rule);

  test('pushes nothing out with ten thousand snapshots in a few minutes', () => {
    const last = honest.length;
    const flood = Array.from({ length: 10_000 }, (_, i) =>
      snapshot(last + 1 + i, (last - 1) * hourMs + 10 * minuteMs + i),
    );
    const after = kept([...honest, ...flood], rule);
    expect(before.filter((sequence) => !after.includes(sequence))).toEqual([]);
    expect(after.length).toBeLessThan(before.length + 10);
  });

  test('can neither back-date a snapshot nor bring the past nearer by a clock that lies', () => {
    const last = honest.length;
    const forged = [snapshot(last + 1, -400 * dayMs), snapshot(last + 2, 3 * dayMs)];
    const after = kept([...honest, ...forged], rule);
    expect(before.filter((sequence) => !after.includes(sequence))).toEqual([]);
  });
});

test('more rules never keep less, and the newest committed is always kept', () => {
  const facts = fc.record({
    step: fc.integer({ min: 0, max: 3 * dayMs }),
    isCommitted: fc.boolean(),
    isSuspect: fc.boolean(),
    isForgotten: fc.boolean(),
  });
  const count = fc.integer({ min: 0, max: 5 });
  const rules = fc.record({ keepLast: count, keepDaily: count, keepWeekly: count });
  fc.assert(
    fc.property(fc.array(facts, { minLength: 1, maxLength: 40 }), rules, (list, rule) => {
      let at = 0;
      const line = list.map(({ step, ...change }, i) => {
        at += step;
        return snapshot(i + 1, at, change);
      });
      const all = kept(line, rule);
      for (const part of Object.entries(rule)) {
        const some = kept(line, Object.fromEntries([part]));
        expect(some.filter((sequence) => !all.includes(sequence))).toEqual([]);
      }
      const newest = line.findLast(({ isCommitted }) => isCommitted);
      if (newest !== undefined) expect(all).toContain(newest.sequence);
    }),
    { numRuns: 200 },
  );
});

test('weeks are those of ISO 8601', () => {
  const week = (text: string): string => bucketOf(Date.parse(text), 'week');
  expect(week('2026-01-01')).toBe('2026-W01');
  expect(week('2027-01-03')).toBe('2026-W53');
  expect(week('2027-01-04')).toBe('2027-W01');
  expect(week('2024-12-30')).toBe('2025-W01');
});

describe('a snapshot whose keys were destroyed', () => {
  test('counts for no rule, and is not what is left to restore', () => {
    const line = [snapshot(1, 0), snapshot(2, dayMs), snapshot(3, 2 * dayMs, { isShredded: true })];
    expect(kept(line, { keepLast: 1 })).toEqual([2]);
    const suspects = [...line, snapshot(4, 3 * dayMs, { isSuspect: true })];
    expect(kept(suspects, { keepLast: 1 })).toEqual([2, 4]);
    const held = line.map((one) => ({ ...one, keptBecause: 'held: case 12' }));
    expect(kept(held, { keepLast: 1 })).toEqual([1, 2, 3]);
  });
});
