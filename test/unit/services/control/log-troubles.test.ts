import { expect, test } from 'vitest';
import { minuteMs } from '../../../../src/base/units.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import { AlarmBook } from '../../../../src/services/alarm-book.ts';
import { type Alarm, Alarms } from '../../../../src/services/alarms.ts';
import {
  LogTroubles,
  type LogTroublesOptions,
} from '../../../../src/services/control/log-troubles.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';

const [here, there] = ['a'.repeat(64), 'b'.repeat(64)] as [AgentKey, AgentKey];

const state = { members: { record: () => ({ expulsion: undefined }) } };

function troubles(change: {
  outdatedBy?: number;
  rivals?: readonly AgentKey[];
  forks?: readonly (readonly [AgentKey, number])[];
}): { troubles: LogTroubles; told: Alarm[] } {
  const told: Alarm[] = [];
  const stop = new AbortController();
  const options = {
    control: {
      ...{ self: here, outdatedBy: change.outdatedBy, state },
      status: () => ({ generation: 3 }),
    },
    decrees: { rivals: new Set(change.rivals) },
    checkpoints: { forks: new Map(change.forks) },
    ledger: { roster: { member: (key: AgentKey) => ({ name: key === here ? 'oslo' : 'riga' }) } },
    alarms: {
      raise: async (alarm: Alarm) => {
        told.push(alarm);
        stop.abort();
      },
    },
    clock: { sleep: async () => {}, nowMs: () => 0, monotonicMs: () => 0 },
    log: { log: () => {} },
  } as unknown as LogTroublesOptions;
  const one = new LogTroubles(options);
  if (one.all().length > 0) void one.run({ signal: stop.signal });
  return { troubles: one, told };
}

test('a log without trouble has none', () => {
  expect(troubles({}).troubles.all()).toEqual([]);
});

test('two decrees in force raise an alarm that says what ends it', async () => {
  const { told } = troubles({ rivals: [there] });
  await Promise.resolve();
  expect(told).toMatchObject([{ kind: 'rival-decrees', subject: 'riga' }]);
  expect(told[0]?.text).toContain('Two decrees have begun generation 3: riga follows another one');
  expect(told[0]?.text).toContain('Next: holdfast coordinator decree prepare');
});

test('a voter that has signed another log raises an alarm', async () => {
  const { told } = troubles({ forks: [[there, 41]] });
  await Promise.resolve();
  expect(told).toMatchObject([{ kind: 'forked-log', subject: 'riga' }]);
  expect(told[0]?.text).toContain('riga has signed another control log up to entry 41');
});

test('a host whose software is too old for the log says so of itself', async () => {
  const { told } = troubles({ outdatedBy: 2 });
  await Promise.resolve();
  expect(told).toMatchObject([{ kind: 'outdated-software', subject: 'oslo' }]);
  expect(told[0]?.text).toContain('of format 2 and this host knows 1');
});

test('each is over once it is, and not before a host that has just started has met the others', async () => {
  const parts = { clock: new ManualClock(), log: collectingLog() };
  const alarms = new Alarms({
    ...parts,
    book: await AlarmBook.open(new MemoryKeyValue(), parts.log),
  });
  const control: { self: AgentKey; outdatedBy: number | undefined } & object = {
    ...{ self: here, outdatedBy: 2, status: () => ({ generation: 3 }), state },
  };
  const rivals = new Set([there]);
  const forks = new Map([[there, 41]]);
  const options = {
    ...{ ...parts, alarms, control },
    ...{ decrees: { rivals }, checkpoints: { forks } },
    ledger: { roster: { member: (key: AgentKey) => ({ name: key === here ? 'oslo' : 'riga' }) } },
  };
  const one = new LogTroubles(options as unknown as LogTroublesOptions);
  const standing = () => alarms.all().filter(({ clearedMs }) => clearedMs === undefined).length;
  const stop = new AbortController();
  const running = one.run({ signal: stop.signal });
  await parts.clock.advance(minuteMs);
  expect(standing()).toBe(3);
  control.outdatedBy = undefined;
  rivals.clear();
  forks.clear();
  await parts.clock.advance(30_000);
  expect(standing()).toBe(3);
  await parts.clock.advance(minuteMs);
  expect(standing()).toBe(0);
  stop.abort();
  await running;
});
