import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { AgentKey, DatasetId } from '../../../../src/core/ids.ts';
import { hoursOf } from '../../../../src/core/policy/load-window.ts';
import type { DrillRule } from '../../../../src/core/policy/policy-terms.ts';
import {
  DrillSchedule,
  type DrillScheduleOptions,
} from '../../../../src/services/drill/drill-schedule.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const self = 'aa'.repeat(32) as AgentKey;
const source = 'bb'.repeat(32) as AgentKey;
const id = '0d'.repeat(16) as DatasetId;

let clock: ManualClock;
let rule: DrillRule | undefined;
let writer: AgentKey;
let lastMs: number | undefined;
let isBusy: boolean;
let snapshots: number;
let failure: HoldfastError | undefined;
let drilled: string[];
let blocked: string[];
let schedule: DrillSchedule;

beforeEach(() => {
  clock = new ManualClock();
  rule = { everyMs: dayMs, checks: [], runsCommands: false, agents: ['oslo'], scenarios: {} };
  [writer, lastMs, isBusy, snapshots, failure] = [source, undefined, false, 1, undefined];
  drilled = [];
  blocked = [];
  const createdMs = clock.nowMs();
  schedule = new DrillSchedule({
    lines: {
      all: () => [{ id, name: 'web', ruleName: 'web', writer }],
      line: () => new Array(snapshots).fill({}),
    },
    roster: {
      ruleFor: () => (rule === undefined ? { match: '*' } : { match: '*', drill: rule }),
      epochsOf: () => [{ timeMs: createdMs }],
      member: () => ({ name: 'oslo' }),
    },
    history: {
      of: () =>
        lastMs === undefined
          ? []
          : [{ report: { where: 'cluster', kind: 'dataset', outcome: 'passed', endedMs: lastMs } }],
    },
    ...{ self, isBusy: () => isBusy, clock, log: collectingLog() },
    drill: async ({ name }: { name: string }) => {
      drilled.push(name);
      if (failure !== undefined) throw failure;
      lastMs = clock.nowMs();
    },
    alarms: {
      raise: async ({ kind, text }: { kind: string; text: string }) =>
        void blocked.push(`${kind}: ${text}`),
      settle: async (_: string, subjects: string[]) => {
        blocked = blocked.slice(0, subjects.length);
      },
    },
  } as unknown as DrillScheduleOptions);
});

/** Looks every minute. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= minuteMs) {
    await clock.advance(minuteMs);
    await schedule.look();
  }
}

describe('a drill without a person', () => {
  test('begins some hours after the dataset came, and then before the last one is too old', async () => {
    await pass(0.15 * dayMs + minuteMs);
    expect(drilled).toHaveLength(1);
    const firstMs = lastMs ?? 0;
    await pass(0.7 * dayMs);
    expect(drilled).toHaveLength(1);
    await pass(0.25 * dayMs);
    expect(drilled).toHaveLength(2);
    const share = ((lastMs ?? 0) - firstMs) / dayMs;
    expect(share).toBeGreaterThanOrEqual(0.75);
    expect(share).toBeLessThan(0.91);
  });

  test.each([
    [
      'the policy names no host',
      () => {
        rule = { ...(rule as DrillRule), agents: [] };
      },
    ],
    [
      'the policy names another',
      () => {
        rule = { ...(rule as DrillRule), agents: ['riga'] };
      },
    ],
    [
      'nobody asks for drills',
      () => {
        rule = undefined;
      },
    ],
    [
      'this host is the source',
      () => {
        writer = self;
      },
    ],
    [
      'there is no snapshot',
      () => {
        snapshots = 0;
      },
    ],
    [
      'the host is busy',
      () => {
        isBusy = true;
      },
    ],
  ])('does not begin when %s', async (_, change) => {
    change();
    await pass(hourMs * 6);
    expect(drilled).toEqual([]);
  });

  test('begins only within its hours', async () => {
    const hours = hoursOf('20:00-22:00');
    rule = { ...(rule as DrillRule), ...(hours === undefined ? {} : { window: hours }) };
    await pass(19 * hourMs);
    expect(drilled).toEqual([]);
    await pass(2 * hourMs);
    expect(drilled).toEqual(['web']);
  });

  test('that came to nothing is told of with why, tried again later, and called well when it succeeds', async () => {
    failure = new HoldfastError('key-needed', 'no key here', { next: 'holdfast drill key' });
    await pass(0.15 * dayMs + minuteMs);
    const attempts = drilled.length;
    expect(blocked).toEqual([
      'drill-blocked: web could not be drilled without a person: no key here. Next: holdfast drill key',
    ]);
    expect(schedule.planned()).toMatchObject([{ part: 'drills', problem: expect.any(String) }]);
    await pass(hourMs);
    expect(drilled.length - attempts).toBe(0);
    failure = undefined;
    await pass(2 * hourMs);
    expect(drilled.length - attempts).toBe(1);
    expect(blocked).toEqual([]);
  });

  test('that came to nothing is not told of any more when somebody else has drilled', async () => {
    failure = new HoldfastError('key-needed', 'no key here');
    await pass(0.15 * dayMs + minuteMs);
    expect(blocked).toHaveLength(1);
    lastMs = clock.nowMs();
    await pass(minuteMs);
    expect(blocked).toEqual([]);
  });
});

test('what is planned says whose part it is', () => {
  expect(schedule.planned()).toMatchObject([{ part: 'drills', rule: { everyMs: dayMs } }]);
  writer = self;
  expect(schedule.planned()).toMatchObject([{ part: 'source' }]);
});
