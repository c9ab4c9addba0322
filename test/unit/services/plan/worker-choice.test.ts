import { expect, test } from 'vitest';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type { PlanStep } from '../../../../src/core/policy/restore-plan.ts';
import type { ControlMember } from '../../../../src/core/protocol/control/member-book.ts';
import { newRun, type PlanRun } from '../../../../src/core/protocol/control/plan-run.ts';
import {
  boundWorker,
  promotionTarget,
  workersFor,
} from '../../../../src/services/plan/worker-choice.ts';
import { promotingSteps, samplePlan } from '../../../support/plan-cast.ts';

function member(name: string, change: Partial<ControlMember> = {}): ControlMember {
  const site = name.split('-')[0] ?? '';
  const agent = Buffer.from(name.padEnd(32, '.')).toString('hex') as AgentKey;
  const roles = ['storage', 'voter'] as const;
  const rest = { peer: agent as never, region: 'eu', invites: [], index: 1, isAbandoned: false };
  const untouched = { revocations: [], expulsion: undefined };
  return { agent, name, site, roles, ...rest, ...untouched, ...change };
}

const members = ['oslo-1', 'rome-1', 'rome-2', 'rome-3'].map((name) => member(name));
const plan = samplePlan({ writer: 'a'.repeat(64) as AgentKey, steps: promotingSteps() });

function runWith(workers: Readonly<Record<string, string>>): PlanRun {
  const run = newRun(plan, { run: 1, authors: [], index: 1, timeMs: 0 });
  const steps = new Map(run.steps);
  for (const [id, name] of Object.entries(workers)) {
    const before = steps.get(id);
    const worker = members.find((one) => one.name === name)?.agent;
    if (before !== undefined) steps.set(id, { ...before, state: 'done', worker });
  }
  return { ...run, steps };
}

function choice<Id extends string>(id: Id, workers: Readonly<Record<string, string>> = {}) {
  const step = plan.steps.find((one) => one.id === id) as PlanStep;
  return { plan, run: runWith(workers), step, members };
}

const names = (found: readonly ControlMember[]): string[] => found.map(({ name }) => name);

test('a step of a site is for its members, in the order of their keys', () => {
  expect(names(workersFor(choice('restore')))).toEqual(['rome-1', 'rome-2', 'rome-3']);
  expect(boundWorker(choice('restore'))).toBeUndefined();
});

test('a step that names an agent is for that one alone', () => {
  const restore = choice('restore');
  const step = { ...restore.step, on: 'rome-2' };
  expect(names(workersFor({ ...restore, step }))).toEqual(['rome-2']);
});

test('whoever can neither hold nor read data, or was abandoned, is left out', () => {
  const some = [
    member('rome-1', { roles: ['voter', 'witness'] }),
    member('rome-2', { isAbandoned: true }),
    member('rome-3', { roles: ['source'] }),
  ];
  expect(names(workersFor({ ...choice('restore'), members: some }))).toEqual(['rome-3']);
});

test('a step follows those that it builds on, the nearest first', () => {
  const check = choice('check', { restore: 'rome-3', prepare: 'rome-2' });
  expect(names(workersFor(check))).toEqual(['rome-3', 'rome-2', 'rome-1']);
  expect(boundWorker(check)).toBe(members[3]?.agent);
  const start = choice('start', { restore: 'rome-3', prepare: 'rome-2', check: 'rome-2' });
  expect(names(workersFor(start))).toEqual(['rome-2', 'rome-3', 'rome-1']);
});

test('a worker of another site binds nobody', () => {
  const check = choice('check', { restore: 'oslo-1', prepare: 'oslo-1' });
  expect(names(workersFor(check))).toEqual(['rome-1', 'rome-2', 'rome-3']);
  expect(boundWorker(check)).toBeUndefined();
});

test('a promotion goes to the agent that has restored the dataset, or to nobody', () => {
  const promote = (workers: Readonly<Record<string, string>>) => {
    const found = choice('promote', workers);
    return promotionTarget({ ...found, step: found.step as never })?.name;
  };
  expect(promote({ restore: 'rome-2', start: 'rome-1' })).toBe('rome-2');
  expect(promote({ restore: 'oslo-1' })).toBeUndefined();
  expect(promote({})).toBeUndefined();
});
