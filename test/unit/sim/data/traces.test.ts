import { beforeEach, expect, test } from 'vitest';
import type { DataCluster } from '../../../../sim/data/cluster.ts';
import type { DataWorkload } from '../../../../sim/data/workload.ts';
import { minuteMs, secondMs } from '../../../../src/base/units.ts';
import { peacefulAgents } from '../../../support/peaceful-agents.ts';

let cluster: DataCluster;
let workload: DataWorkload;
const agents = peacefulAgents({ isTraced: true });
beforeEach(() => {
  ({ cluster, workload } = agents());
});

/** Who has logged this message, with which id. */
function logged(message: string): { readonly host: string; readonly trace: string }[] {
  const pattern = new RegExp(`(\\w+) logs: ${message} \\(.*trace ([0-9a-f]{32})`);
  return cluster.world.trace.tail().flatMap((line) => {
    const [, host = '', trace = ''] = pattern.exec(line) ?? [];
    return host === '' ? [] : [{ host, trace }];
  });
}

test('one id runs through the logs of all agents that take part in a backup, another through those of its restore', async () => {
  const bob = cluster.agents.find(({ name }) => name === 'bob');
  if (bob === undefined) throw new Error('nobody is bob');
  workload.backUp(bob);
  for (let i = 0; workload.isBusy(bob) && i < 300; i++) await cluster.world.advance(secondMs);
  const [backup, ...others] = logged('a backup begins');
  expect([backup?.host, others]).toEqual(['bob', []]);
  const trace = backup?.trace;
  expect(logged('snapshot signed')).toEqual([{ host: 'bob', trace }]);
  const signers = logged('a receipt was signed').filter((one) => one.trace === trace);
  expect(signers.map(({ host }) => host).sort()).toEqual(['ada', 'cyd', 'dan']);

  const [snapshot] = cluster.snapshots.values();
  if (snapshot === undefined) throw new Error('bob has backed up nothing');
  let isOver = false;
  const restore = async (): Promise<void> => {
    await using machine = await workload.blank();
    await workload.restoreAt(machine.blank, snapshot, true);
  };
  void restore().finally(() => {
    isOver = true;
  });
  for (let i = 0; !isOver && i < 300; i++) await cluster.world.advance(secondMs);
  const reads = logged('shards are read from here');
  expect(new Set(reads.map(({ host }) => host)).size).toBeGreaterThan(1);
  expect(new Set(reads.map((one) => one.trace)).size).toBe(1);
  expect(reads[0]?.trace).not.toBe(trace);
  await cluster.world.advance(minuteMs);
});
