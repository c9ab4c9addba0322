import { expect, test } from 'vitest';
import { AlarmBook, alarmId } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import {
  LeaseKeeper,
  type LeaseKeeperOptions,
} from '../../../../src/services/plan/lease-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';

test('a program of a lease that fails is told of once for each problem, until somebody has looked', async () => {
  const parts = { clock: new ManualClock(), log: collectingLog() };
  const alarms = new Alarms({
    ...parts,
    book: await AlarmBook.open(new MemoryKeyValue(), parts.log),
  });
  let problem: string | undefined;
  const options = {
    ...{ ...parts, alarms },
    guard: { datasets: ['db'], problem: () => problem, state: () => 'stopped' },
    control: { state: { leases: { all: () => [] }, incarnations: { all: () => [] } } },
  };
  const keeper = new LeaseKeeper(options as unknown as LeaseKeeperOptions);
  const standing = () =>
    alarms
      .all()
      .filter(({ clearedMs }) => clearedMs === undefined)
      .map(({ text }) => text);
  await keeper.look();
  expect(standing()).toEqual([]);
  problem = 'it ended with 1';
  await keeper.look();
  await keeper.look();
  expect(standing()).toEqual(['a program of dataset db failed: it ended with 1']);
  problem = 'it ended with 2';
  await keeper.look();
  expect(standing()).toHaveLength(2);
  for (const alarm of alarms.all()) await alarms.clear(alarmId(alarm));
  await keeper.look();
  expect(standing()).toEqual([]);
});
