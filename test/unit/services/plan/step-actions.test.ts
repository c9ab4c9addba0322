import { expect, test } from 'vitest';
import { fromUtf8 } from '../../../../src/base/bytes.ts';
import type { PlanHash } from '../../../../src/core/format/control-records.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type { PlanStep } from '../../../../src/core/policy/restore-plan.ts';
import type { Hook } from '../../../../src/ports/hook.ts';
import { HostActions } from '../../../../src/services/plan/step-actions.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { promotingSteps, samplePlan } from '../../../support/plan-cast.ts';

const document = samplePlan({ writer: 'a'.repeat(64) as AgentKey, steps: promotingSteps() });
const plan = 'f'.repeat(64) as PlanHash;

function scene() {
  const hooks: Hook[] = [];
  const asked: unknown[] = [];
  const answers = { isDone: true, isHealthy: true };
  const actions = new HostActions({
    clock: new ManualClock(),
    restores: {} as never,
    hooks: {
      run: async (hook) => {
        hooks.push(hook);
        return { isDone: answers.isDone, detail: 'it ended', output: 'two\nlines' };
      },
    },
    probes: {
      run: async (probe, { timeoutMs }) => {
        asked.push([probe, timeoutMs]);
        return { isHealthy: answers.isHealthy, detail: 'it answered' };
      },
    },
  });
  const task = (id: string) => {
    const step = document.steps.find((one) => one.id === id) as PlanStep;
    const { signal } = new AbortController();
    const fence = { generation: 2, index: 77 };
    return { plan, run: 3, document, step, attempt: 2, fence, signal, onPercent: () => {} };
  };
  return { actions, hooks, asked, answers, task };
}

test('a hook learns which step of which plan it is, and under which fence', async () => {
  const { actions, hooks, task } = scene();
  const outcome = await actions.perform(task('start'));
  expect(hooks).toEqual([
    {
      argv: ['start'],
      environment: {
        HOLDFAST_PLAN: plan,
        HOLDFAST_RUN: '3',
        HOLDFAST_STEP: 'start',
        HOLDFAST_ATTEMPT: '2',
        HOLDFAST_FENCE: '2.77',
      },
    },
  ]);
  expect(outcome).toMatchObject({ state: 'done', detail: 'it ended' });
  expect(fromUtf8(outcome.evidence)).toBe('{"durationMs":0,"output":"two\\nlines"}');
});

test('a hook that fails says what it wrote', async () => {
  const { actions, answers, task } = scene();
  answers.isDone = false;
  expect(await actions.perform(task('start'))).toMatchObject({
    state: 'failed',
    detail: 'it ended: two lines',
  });
});

test('a hook is undone by the program that the plan names for it, if any', async () => {
  const { actions, hooks, task } = scene();
  await actions.undo(task('start'));
  expect(hooks.map(({ argv }) => argv)).toEqual([['stop']]);
  const { undo: _, ...step } = task('start').step as PlanStep & { kind: 'hook' };
  const outcome = await actions.undo({ ...task('start'), step });
  expect(outcome.detail).toContain('nothing to undo');
  expect(hooks).toHaveLength(1);
});

test('a check asks its probe within the time of the step, and undoes nothing', async () => {
  const { actions, asked, answers, task } = scene();
  expect(await actions.perform(task('check'))).toMatchObject({ state: 'done' });
  expect(asked).toEqual([[{ kind: 'command', argv: ['check'] }, 60_000]]);
  answers.isHealthy = false;
  expect(await actions.perform(task('check'))).toMatchObject({
    state: 'failed',
    detail: 'it answered',
  });
  expect((await actions.undo(task('check'))).state).toBe('done');
});

test('no agent promotes anything by itself', async () => {
  const { actions, task } = scene();
  expect((await actions.perform(task('promote'))).state).toBe('failed');
});
