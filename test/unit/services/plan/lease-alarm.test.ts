import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { uptimeMs } from '../../../../src/adapters/system/lease-file.ts';
import { ProcessLeaseGuard } from '../../../../src/adapters/system/lease-guard.ts';
import { AlarmBook, alarmId } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import {
  LeaseKeeper,
  type LeaseKeeperOptions,
} from '../../../../src/services/plan/lease-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

test('a program of a lease that fails is told of with what to do, once for each problem, until somebody has looked', async () => {
  await using root = scratchDirectory();
  const code = join(root.path, 'code');
  writeFileSync(code, '3');
  // Starts badly, as the file says.
  const start = ['/bin/sh', '-c', `exit $(cat ${code})`];
  const programs = new Map([['db', { start, stop: ['/bin/true'] }]]);
  const guard = new ProcessLeaseGuard({ directory: join(root.path, 'leases'), programs });
  const parts = { clock: new ManualClock(), log: collectingLog() };
  const alarms = new Alarms({
    ...parts,
    book: await AlarmBook.open(new MemoryKeyValue(), parts.log),
  });
  // No plan has named the dataset: the keeper looks, and touches nothing.
  const nothing = { leases: { all: () => [] }, incarnations: { all: () => [] } };
  const options = { ...parts, alarms, guard, control: { state: nothing } };
  const keeper = new LeaseKeeper(options as unknown as LeaseKeeperOptions);
  const standing = () => alarms.all().filter(({ clearedMs }) => clearedMs === undefined);
  const lookUntil = async (isSo: () => boolean): Promise<void> => {
    for (let i = 0; i < 200 && !isSo(); i++) {
      await keeper.look();
      await after(50);
    }
  };
  await keeper.look();
  expect(standing()).toEqual([]);
  await guard.extend('db', uptimeMs() + 60_000);
  await lookUntil(() => standing().length > 0);
  await keeper.look();
  expect(standing()).toHaveLength(1);
  const [told] = standing();
  expect(told).toMatchObject({ kind: 'lease-program', facts: { dataset: 'db' } });
  expect(told?.text).toMatch(/^a program of dataset db failed: .*3/);
  expect(told?.text).toContain('holdfast dataset show db');
  writeFileSync(code, '0');
  await guard.extend('db', uptimeMs() + 60_000);
  for (const alarm of standing()) await alarms.clear(alarmId(alarm));
  await after(300);
  await keeper.look();
  expect(standing()).toEqual([]);
  await guard.stop('db');
});
