import { describe, expect, test } from 'vitest';
import {
  ancestorsOf,
  cycleOf,
  type Progress,
  rollbackOrder,
  runnableSteps,
  type StepProgress,
  topologicalOrder,
} from '../../../../src/core/policy/plan-graph.ts';
import type { PlanStep, RestorePlan } from '../../../../src/core/policy/restore-plan.ts';
import { sampleAgent } from '../../../support/sample-cluster.ts';
import { samplePlan } from '../protocol/control/sample-control.ts';

function hook(id: string, ...after: string[]): PlanStep {
  return { id, kind: 'hook', after, timeoutMs: 1000, attempts: 2, argv: [id] };
}

/** app after db and web, which both come after net. */
const diamond = [hook('app', 'db', 'web'), hook('web', 'net'), hook('db', 'net'), hook('net')];
const plan: RestorePlan = { ...samplePlan(sampleAgent('oslo')), steps: diamond };

function progress(states: Record<string, Partial<StepProgress>>): Progress {
  const waiting: StepProgress = { state: 'waiting', attempt: 0, attemptsMax: 2 };
  return new Map(Object.entries(states).map(([id, at]) => [id, { ...waiting, ...at }]));
}

const done = { state: 'done', attempt: 1 } as const;
const ids = (steps: readonly PlanStep[]): string[] => steps.map(({ id }) => id);

describe('the order of steps', () => {
  test('each comes after those that it waits for, else as the plan lists them', () => {
    expect(ids(topologicalOrder(diamond))).toEqual(['net', 'web', 'db', 'app']);
  });

  test('a circle is named, whichever step leads into it', () => {
    const steps = [hook('in', 'a'), hook('a', 'b'), hook('b', 'c'), hook('c', 'a')];
    expect(cycleOf(steps)).toEqual(['a', 'b', 'c', 'a']);
    expect(cycleOf([hook('self', 'self')])).toEqual(['self', 'self']);
    expect(cycleOf(diamond)).toBeUndefined();
  });

  test('ancestors are found through others, once', () => {
    expect([...ancestorsOf(diamond, 'app')].sort()).toEqual(['db', 'net', 'web']);
    expect([...ancestorsOf(diamond, 'net')]).toEqual([]);
  });
});

describe('runnable steps', () => {
  test('are those whose predecessors are all done', () => {
    expect(ids(runnableSteps(plan, new Map()))).toEqual(['net']);
    expect(ids(runnableSteps(plan, progress({ net: done })))).toEqual(['web', 'db']);
    expect(ids(runnableSteps(plan, progress({ net: done, web: done })))).toEqual(['db']);
    const most = progress({ net: done, web: done, db: done });
    expect(ids(runnableSteps(plan, most))).toEqual(['app']);
  });

  test('are not under way, and have attempts left', () => {
    expect(runnableSteps(plan, progress({ net: { state: 'started', attempt: 1 } }))).toEqual([]);
    expect(ids(runnableSteps(plan, progress({ net: { state: 'failed', attempt: 1 } })))).toEqual([
      'net',
    ]);
    expect(runnableSteps(plan, progress({ net: { state: 'failed', attempt: 2 } }))).toEqual([]);
    expect(runnableSteps(plan, progress({ net: { state: 'escalated', attempt: 1 } }))).toEqual([]);
  });
});

describe('rolling back', () => {
  test('undoes what was begun, last first, and nothing twice', () => {
    const failed = { state: 'failed', attempt: 2 } as const;
    const at = { net: done, web: done, db: failed };
    expect(ids(rollbackOrder(plan, progress(at)))).toEqual(['db', 'web', 'net']);
    const undone = { state: 'undone', attempt: 2 } as const;
    expect(ids(rollbackOrder(plan, progress({ ...at, db: undone })))).toEqual(['web', 'net']);
    expect(rollbackOrder(plan, new Map())).toEqual([]);
  });
});
