import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { orderRepairs } from '../../../../src/core/policy/repair-order.ts';
import type { RepairTask } from '../../../../src/core/policy/repair-plan.ts';
import { packIdAt } from '../format/samples.ts';

function taskOf(i: number, spare: number, isMove = false): RepairTask {
  const entry = { pack: packIdAt(i), k: 4, m: 3, type: 'data', size: 1000 } as const;
  return { entry, index: 0, takers: [], spare, isMove, reason: '' };
}

function order(
  tasks: readonly RepairTask[],
  more: { ageMs?: number; begun?: number; asked?: number; shardCount?: number } = {},
) {
  const { ageMs = 2 * hourMs, begun, asked, shardCount = 1000 } = more;
  const isOf = ({ entry }: RepairTask, i: number | undefined): boolean =>
    i !== undefined && entry.pack === packIdAt(i);
  return orderRepairs({
    tasks,
    shardCount,
    ageMs: () => ageMs,
    hasBegun: (task) => isOf(task, begun),
    isAskedFor: (task) => isOf(task, asked),
  });
}

describe('the order of repairs', () => {
  test('is that of what is left to spare', () => {
    const { due } = order([taskOf(1, 1), taskOf(2, -1), taskOf(3, 0)]);
    expect(due.map(({ spare }) => spare)).toEqual([-1, 0, 1]);
  });

  test('lets wait what can still lose two sites, for a day', () => {
    const tasks = [taskOf(1, 2)];
    expect(order(tasks)).toMatchObject({ due: [], waiting: tasks });
    expect(order(tasks, { ageMs: dayMs })).toMatchObject({ due: tasks, waiting: [] });
  });

  test('goes on with a pack once begun, though more is left to spare by now', () => {
    const tasks = [taskOf(1, 2), taskOf(2, 2)];
    expect(order(tasks, { begun: 2 }).due).toEqual([tasks[1]]);
  });

  test('does not let wait what somebody has asked for, whatever has gone', () => {
    const tasks = [taskOf(1, 2), taskOf(2, 2)];
    expect(order(tasks, { asked: 2, ageMs: minuteMs, shardCount: 2 }).due).toEqual([tasks[1]]);
  });

  test('does not let wait who has been asked to leave', () => {
    const tasks = [taskOf(1, 2, true)];
    expect(order(tasks).due).toEqual(tasks);
  });

  test('keeps to what is urgent when more than a tenth goes within an hour', () => {
    const tasks = [taskOf(1, 2, true), taskOf(2, 1), taskOf(3, 2)];
    const braked = order(tasks, { ageMs: minuteMs, begun: 3, shardCount: 19 });
    expect(braked).toMatchObject({ isBraked: true, due: [tasks[1]] });
    expect(order(tasks, { ageMs: minuteMs, begun: 3, shardCount: 20 }).isBraked).toBe(false);
    expect(order(tasks, { ageMs: hourMs, begun: 3, shardCount: 19 }).due).toHaveLength(3);
  });
});
