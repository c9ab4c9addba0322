import { expect, test } from 'vitest';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import {
  LogTroubles,
  type LogTroublesOptions,
} from '../../../../src/services/control/log-troubles.ts';

const [here, there] = ['a'.repeat(64), 'b'.repeat(64)] as [AgentKey, AgentKey];

function troubles(change: {
  outdatedBy?: number;
  rivals?: readonly AgentKey[];
  forks?: readonly (readonly [AgentKey, number])[];
}): { troubles: LogTroubles; told: Alarm[] } {
  const told: Alarm[] = [];
  const stop = new AbortController();
  const options = {
    control: { self: here, outdatedBy: change.outdatedBy, status: () => ({ generation: 3 }) },
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
