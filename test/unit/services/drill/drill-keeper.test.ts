import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import { dayMs } from '../../../../src/base/units.ts';
import type { AgentKey, DatasetId, StatementHash } from '../../../../src/core/ids.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import {
  DrillKeeper,
  type DrillKeeperOptions,
} from '../../../../src/services/drill/drill-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const self = 'aa'.repeat(32) as AgentKey;
const id = '0d'.repeat(16) as DatasetId;
const dataset = { id, name: 'web', ruleName: 'web', writer: self };

type Drill = { outcome: string; kind: string; endedMs: number };

/** A member that knows one dataset, 40 days old, to be rehearsed every 30 days. */
function bench(drills: readonly Drill[], anchored = 0) {
  const clock = new ManualClock();
  const nowMs = clock.nowMs();
  const alarms: Alarm[] = [];
  const settled: [string, string[]][] = [];
  const submitted: unknown[] = [];
  const records = drills.map(({ outcome, kind, endedMs }, i) => ({
    hash: `${i}0`.repeat(32) as StatementHash,
    statement: { writer: self, stream: 'drills', sequence: i + 1, timeMs: nowMs + endedMs },
    report: utf8(
      JSON.stringify({
        ...{ version: 1, kind, outcome, where: 'cluster', dataset: { id }, startedMs: 0 },
        ...{ endedMs: nowMs + endedMs, times: {}, objectives: {}, criteria: [], sites: [] },
      }),
    ),
  }));
  const options = {
    ledger: {
      drills: () => records,
      head: () =>
        drills.length === 0
          ? undefined
          : { writer: self, stream: 'drills', sequence: drills.length, hash: new Uint8Array(32) },
      roster: {
        ruleFor: () => ({ match: '*', drill: { everyMs: 30 * dayMs } }),
        epochsOf: () => [{ timeMs: nowMs - 40 * dayMs }],
      },
    },
    lines: { all: () => [dataset] },
    control: {
      state: { drills: { of: () => (anchored === 0 ? undefined : { sequence: anchored }) } },
      submit: async (body: unknown) => {
        submitted.push(body);
      },
    },
    alarms: {
      raise: async (alarm: Alarm) => {
        alarms.push(alarm);
      },
      settle: async (kind: string, subjects: string[]) => {
        settled.push([kind, subjects]);
      },
    },
    ...{ self, clock, log: collectingLog() },
  } as unknown as DrillKeeperOptions;
  return { keeper: new DrillKeeper(options), alarms, settled, submitted };
}

describe('people are told', () => {
  test('when a dataset was never rehearsed', async () => {
    const { keeper, alarms } = bench([]);
    await keeper.watch();
    expect(alarms).toMatchObject([{ kind: 'drill-overdue', facts: { dataset: 'web' } }]);
    expect(alarms[0]?.text).toContain('no restore of web was ever rehearsed');
  });

  test('when the last good drill is too long ago: one that failed, of a path, or without a restore, is none', async () => {
    const { keeper, alarms } = bench([
      { outcome: 'passed', kind: 'dataset', endedMs: -31 * dayMs },
      { outcome: 'failed', kind: 'dataset', endedMs: -dayMs },
      { outcome: 'passed', kind: 'file', endedMs: -dayMs },
      { outcome: 'passed', kind: 'validation', endedMs: -dayMs },
    ]);
    await keeper.watch();
    expect(alarms[0]?.text).toContain('too long ago');
  });

  test('nothing while it is in time', async () => {
    const { keeper, alarms } = bench([{ outcome: 'passed', kind: 'dataset', endedMs: -dayMs }]);
    await keeper.watch();
    expect(alarms).toEqual([]);
  });

  test('when the last drill has failed or missed an objective, until one passes', async () => {
    const missed = { outcome: 'missed', kind: 'dataset', endedMs: -dayMs };
    const { keeper, alarms } = bench([missed]);
    await keeper.watch();
    expect(alarms).toMatchObject([{ kind: 'drill-missed', facts: { outcome: 'missed' } }]);
    expect(alarms[0]?.text).toContain('holdfast drill show 00000000');
    const later = bench([missed, { ...missed, outcome: 'passed', endedMs: -1 }]);
    await later.keeper.watch();
    expect(later.alarms).toEqual([]);
    expect(later.settled).toContainEqual(['drill-missed', []]);
  });
});

describe('the control log is asked to fix the newest report', () => {
  const drill = { outcome: 'passed', kind: 'dataset', endedMs: 0 };

  test('once, and again for the next', async () => {
    const { keeper, submitted } = bench([drill, drill], 1);
    await keeper.anchor();
    expect(submitted).toMatchObject([{ kind: 'drill', sequence: 2 }]);
  });

  test.each([
    ['is fixed', [drill], 1],
    ['does not exist', [], 0],
  ])('not when it %s', async (_, drills, anchored) => {
    const { keeper, submitted } = bench(drills, anchored);
    await keeper.anchor();
    expect(submitted).toEqual([]);
  });

  test('which reports it has fixed can be told', () => {
    const { keeper } = bench([drill, drill], 1);
    expect(keeper.history.all().map(({ isAnchored }) => isAnchored)).toEqual([true, false]);
  });
});
