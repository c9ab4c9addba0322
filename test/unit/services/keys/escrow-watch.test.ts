import { beforeEach, expect, test } from 'vitest';
import { dayMs } from '../../../../src/base/units.ts';
import type { Alarm, Alarms } from '../../../../src/services/alarms.ts';
import {
  EscrowWatch,
  type EscrowWatchOptions,
} from '../../../../src/services/keys/escrow-watch.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const raised: Alarm[] = [];
const proofs = new Map<number, { index: number; timeMs: number }>();
const time = { nowMs: 0 };
const custodians = ['ada', 'ben'].map((name) => ({ name }));
const current = { id: 'ab'.repeat(32), threshold: 2, kitVersion: 1, timeMs: 0, custodians, proofs };
const state = { escrow: { current }, keys: { kit: { version: 1 } }, time };
const settled: string[][] = [];
const alarms = {
  raise: async (alarm: Alarm) => void raised.push(alarm),
  settle: async (_: string, subjects: string[]) => void settled.push(subjects),
};

const watch = new EscrowWatch({
  control: { state } as unknown as EscrowWatchOptions['control'],
  alarms: alarms as unknown as Alarms,
  clock: new ManualClock(),
  log: { log: () => {} },
});

beforeEach(() => {
  raised.length = 0;
  settled.length = 0;
  proofs.clear();
});

test('an alarm says that the kit may no longer be recoverable, and who has not shown a share', async () => {
  time.nowMs = 85 * dayMs;
  await watch.look();
  expect(raised).toEqual([]);
  time.nowMs = 93 * dayMs;
  await watch.look();
  expect(raised).toMatchObject([{ kind: 'escrow', facts: { state: 'lost', overdue: 'ada, ben' } }]);
  expect(raised[0]?.text).toContain('may no longer be recoverable');
  expect(settled).toEqual([[], [raised[0]?.subject]]);
});

test('after another proof it is another matter, and told anew', async () => {
  time.nowMs = 93 * dayMs;
  await watch.look();
  proofs.set(1, { index: 7, timeMs: 93 * dayMs });
  await watch.look();
  expect(new Set(raised.map(({ subject }) => subject)).size).toBe(2);
  proofs.set(2, { index: 8, timeMs: 93 * dayMs });
  raised.length = 0;
  settled.length = 0;
  await watch.look();
  expect(raised).toEqual([]);
  expect(settled).toEqual([[]]);
});
