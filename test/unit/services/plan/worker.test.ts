import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Fence } from '../../../../src/core/format/control-records.ts';
import type { WorkOrder } from '../../../../src/services/plan/work-order.ts';
import type { WorkAnswer } from '../../../../src/services/plan/worker.ts';
import { type Actor, dataset, PlanCast, planOf } from '../../../support/plan-cast.ts';

/** Rome works; cairo coordinates, but only when the test says so. */
class Scene implements AsyncDisposable {
  readonly cast = new PlanCast();
  readonly name: { readonly plan: WorkOrder['plan']; readonly run: number };
  fence: Fence = { generation: 1, index: 0 };

  constructor() {
    this.name = this.cast.submit(planOf(this.cast, { onFailure: 'roll-back' }));
    this.assign('cairo');
  }

  get rome(): Actor {
    return this.cast.actor('rome');
  }

  assign(site: string): void {
    const { agentKey, statementSecret } = this.cast.actor(site).agent;
    const body = { kind: 'assign', ...this.name, coordinator: agentKey } as const;
    this.fence = { generation: 1, index: this.cast.log.say(body, [statementSecret]) };
  }

  mark(step: string, outcome: 'started' | 'done' | 'failed', attempt = 1, by = 'cairo'): void {
    const worker = this.rome.agent.agentKey;
    const { name, fence } = this;
    this.cast.log.say(
      {
        kind: 'mark',
        ...{ ...name, step, attempt, fence, outcome, worker, detail: '' },
        evidence: new Uint8Array(),
      },
      [this.cast.actor(by).agent.statementSecret],
    );
  }

  order(step: string, change: Partial<WorkOrder> = {}): WorkOrder {
    const { name, fence } = this;
    const what = { attempt: 1, kind: 'perform' as const, undoAttempt: 0, sinceIndex: 0 };
    return { ...name, fence, step, ...what, ...change };
  }

  ask(step: string, change: Partial<WorkOrder> = {}, from = 'cairo'): Promise<WorkAnswer> {
    const { agentKey } = this.cast.actor(from).agent;
    return this.rome.worker.work(this.order(step, change), agentKey);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cast[Symbol.asyncDispose]();
  }
}

test('a step runs in the background, and asking again tells how far it is', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  expect(await scene.ask('restore')).toMatchObject({ state: 'running', attempt: 1 });
  expect(await scene.ask('restore')).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(200);
  const first = await scene.ask('restore');
  expect(first).toMatchObject({ state: 'done', detail: 'well', percent: 100, attempt: 1 });
  expect(await scene.ask('restore')).toEqual(first);
  expect(scene.cast.count('restore')).toBe(1);
});

test('what the log does not bear out is refused, and nothing is begun', async () => {
  await using scene = new Scene();
  const refusals: [Partial<WorkOrder>, RegExp, string?][] = [
    [{}, /not for this agent/],
    [{ run: 2 }, /knows no such run/],
    [{ plan: 'f'.repeat(64) as WorkOrder['plan'] }, /knows no such run/],
    [{ step: 'nonsense' }, /no step "nonsense"/],
    [{ fence: { generation: 1, index: 1 } }, /fence is outdated/],
    [{}, /coordinates this run/, 'oslo'],
  ];
  for (const [change, why, from] of refusals) {
    const asked = scene.ask('restore', change, from);
    await expect(asked).rejects.toMatchObject({ code: 'not-permitted' });
    await expect(asked).rejects.toThrow(why);
  }
  scene.mark('restore', 'started');
  await expect(scene.ask('restore', { attempt: 2 })).rejects.toThrow(/not for this agent/);
  await expect(scene.ask('check')).rejects.toThrow(/not for this agent/);
  await expect(scene.ask('restore', { kind: 'undo', undoAttempt: 1 })).rejects.toThrow(/running/);
  scene.mark('restore', 'done');
  await expect(scene.ask('restore')).rejects.toThrow(/step "restore" is done/);
  expect(scene.cast.deeds).toEqual([]);
  expect(scene.rome.fences.fences.size).toBe(0);
});

test('a step of another agent is refused here', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  const order = scene.order('restore');
  const { worker } = scene.cast.actor('oslo');
  const cairo = scene.cast.actor('cairo').agent.agentKey;
  await expect(worker.work(order, cairo)).rejects.toMatchObject({ code: 'not-permitted' });
});

test('an order waits for the log to arrive, but not for ever', async () => {
  await using scene = new Scene();
  scene.rome.control.hold();
  scene.mark('restore', 'started');
  const sinceIndex = scene.cast.log.entries.length;
  const waiting = scene.ask('restore', { sinceIndex });
  await scene.cast.clock.advance(3000);
  expect(scene.cast.count('restore')).toBe(0);
  scene.rome.control.release();
  expect(await waiting).toMatchObject({ state: 'running' });
  const late = scene.ask('restore', { sinceIndex: sinceIndex + 1 });
  late.catch(() => {});
  await scene.cast.clock.advance(60_000);
  await expect(late).rejects.toMatchObject({ code: 'timeout' });
});

test('the fence of a run and of its dataset is durable before the step begins', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  const fences: unknown[] = [];
  scene.cast.onDeed = () => fences.push([...scene.rome.fences.fences]);
  await scene.ask('restore');
  const { plan, run } = scene.name;
  expect(fences).toEqual([
    [
      [`run-${plan}-${run}`, scene.fence],
      [`dataset-${dataset}`, scene.fence],
    ],
  ]);
});

test('a newer coordinator is obeyed and an older one no longer, even where the log lags', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  await scene.ask('restore');
  const old = scene.fence;
  scene.assign('oslo');
  expect(await scene.ask('restore', {}, 'oslo')).toMatchObject({ state: 'running' });
  await expect(scene.ask('restore', { fence: old })).rejects.toMatchObject({
    code: 'not-permitted',
  });
  // The same worker, restarted with a log that has forgotten what came last.
  await scene.rome.kill();
  scene.cast.log.entries.length = old.index + 1;
  await scene.rome.restart();
  await expect(scene.ask('restore', { fence: old })).rejects.toMatchObject({
    code: 'not-permitted',
    message: expect.stringContaining('outdated') as string,
  });
  expect(scene.cast.count('restore')).toBe(1);
});

test('after a restart a restore begins anew', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  await scene.ask('restore');
  await scene.rome.restart();
  expect(await scene.ask('restore')).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(200);
  expect(await scene.ask('restore')).toMatchObject({ state: 'done' });
  expect(scene.cast.count('restore')).toBe(2);
});

test('after a restart a hook that was begun is not begun again in the same attempt', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  await scene.ask('prepare');
  await scene.rome.restart();
  const answer = await scene.ask('prepare');
  expect(answer).toMatchObject({ state: 'failed', attempt: 1 });
  expect(answer.detail).toContain('stopped while the hook ran');
  await scene.rome.restart();
  expect(await scene.ask('prepare')).toEqual(answer);
  expect(scene.cast.count('prepare')).toBe(1);
  scene.mark('prepare', 'failed');
  scene.mark('prepare', 'started', 2);
  expect(await scene.ask('prepare', { attempt: 2 })).toMatchObject({ state: 'running' });
  await expect(scene.ask('prepare', { attempt: 1 })).rejects.toThrow(/not for this agent/);
  expect(scene.cast.count('prepare')).toBe(2);
});

test('what was done before a restart is answered with the same evidence', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  await scene.ask('prepare');
  await scene.cast.clock.advance(200);
  const before = await scene.ask('prepare');
  await scene.rome.restart();
  expect(await scene.ask('prepare')).toEqual(before);
  expect(scene.cast.count('prepare')).toBe(1);
});

test('a hook does not begin when that cannot be remembered', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  scene.rome.steps.failure = new HoldfastError('disk-full', 'the disk is full');
  await expect(scene.ask('prepare')).rejects.toMatchObject({ code: 'disk-full' });
  expect(scene.cast.count('prepare')).toBe(0);
  expect(await scene.ask('prepare')).toMatchObject({ state: 'running' });
});

test('an attempt that was cancelled before it came here does not begin any more', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  expect(await scene.ask('prepare', { kind: 'cancel' })).toMatchObject({ state: 'failed' });
  expect(await scene.ask('prepare')).toMatchObject({
    state: 'failed',
    detail: 'it was cancelled before it began',
  });
  expect(scene.cast.deeds).toEqual([]);
});

test('cancelling ends what runs, and that is its outcome', async () => {
  await using scene = new Scene();
  scene.cast.plays.set('prepare', { ms: 50_000 });
  scene.mark('prepare', 'started');
  await scene.ask('prepare');
  expect(await scene.ask('prepare', { kind: 'cancel' })).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(10);
  expect(await scene.ask('prepare')).toMatchObject({
    state: 'failed',
    detail: 'it was cancelled',
  });
});

test('a new attempt ends the one before it first', async () => {
  await using scene = new Scene();
  scene.cast.plays.set('restore', { ms: 50_000 });
  scene.mark('restore', 'started');
  await scene.ask('restore');
  scene.mark('restore', 'failed');
  scene.mark('restore', 'started', 2);
  expect(await scene.ask('restore', { attempt: 2 })).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(10);
  await scene.ask('restore', { attempt: 2 });
  expect(scene.cast.deeds.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test('a step ends at its time limit', async () => {
  await using scene = new Scene();
  scene.cast.plays.set('restore', { ms: 10_000_000 });
  scene.mark('restore', 'started');
  await scene.ask('restore');
  await scene.cast.clock.advance(66_000);
  expect(await scene.ask('restore')).toMatchObject({
    state: 'failed',
    detail: 'it took longer than the plan allows',
  });
});

test('undoing happens once for each attempt at it, and not at all for what was never begun', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  await scene.ask('prepare');
  await scene.cast.clock.advance(200);
  scene.mark('prepare', 'done');
  scene.mark('restore', 'started');
  scene.cast.log.say({ kind: 'plan-decision', ...scene.name, decision: 'roll-back' });
  scene.cast.plays.set('undo prepare', { fails: 'busy' });
  const undo = (step: string, undoAttempt: number): Promise<WorkAnswer> =>
    scene.ask(step, { kind: 'undo', undoAttempt });
  expect(await undo('prepare', 1)).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(200);
  expect(await undo('prepare', 1)).toMatchObject({ state: 'failed', detail: 'busy', attempt: 1 });
  expect(scene.cast.count('prepare', true)).toBe(1);
  await undo('prepare', 2);
  await scene.rome.restart();
  const cutOff = await undo('prepare', 2);
  expect(cutOff).toMatchObject({ state: 'failed', attempt: 2 });
  expect(await undo('prepare', 1)).toEqual(cutOff);
  scene.cast.plays.delete('undo prepare');
  await undo('prepare', 3);
  await scene.cast.clock.advance(200);
  expect(await undo('prepare', 3)).toMatchObject({ state: 'done', attempt: 3 });
  expect(await undo('prepare', 4)).toMatchObject({ state: 'done', attempt: 3 });
  expect(scene.cast.count('prepare', true)).toBe(3);
  const never = await undo('restore', 1);
  expect(never).toMatchObject({ state: 'done' });
  expect(never.detail).toContain('never begun here');
  expect(scene.cast.count('restore', true)).toBe(0);
});

test('undoing ends what still runs before it begins', async () => {
  await using scene = new Scene();
  scene.cast.plays.set('restore', { ms: 50_000 });
  scene.mark('restore', 'started');
  await scene.ask('restore');
  scene.cast.log.say({ kind: 'plan-decision', ...scene.name, decision: 'roll-back' });
  const undo = (): Promise<WorkAnswer> => scene.ask('restore', { kind: 'undo', undoAttempt: 1 });
  expect(await undo()).toMatchObject({ state: 'running' });
  await scene.cast.clock.advance(10);
  expect(scene.cast.count('restore', true)).toBe(0);
  await undo();
  await scene.cast.clock.advance(200);
  expect(await undo()).toMatchObject({ state: 'done' });
});

test('a run that is cancelled ends what runs here, without being told', async () => {
  await using scene = new Scene();
  await scene.rome.worker.start();
  scene.cast.plays.set('restore', { ms: 50_000 });
  scene.mark('restore', 'started');
  await scene.ask('restore');
  scene.cast.log.say({ kind: 'plan-decision', ...scene.name, decision: 'cancel' });
  await scene.cast.clock.advance(60_000);
  expect(scene.cast.deeds).toHaveLength(1);
  expect(await scene.ask('restore', { kind: 'cancel' })).toMatchObject({
    state: 'failed',
    detail: 'the run is cancelled',
  });
});

test('what is remembered of runs that have ended goes at the next start', async () => {
  await using scene = new Scene();
  scene.mark('restore', 'started');
  await scene.ask('restore');
  await scene.cast.clock.advance(200);
  await scene.rome.restart();
  expect(scene.rome.steps.records.size).toBe(1);
  scene.cast.log.say({ kind: 'plan-decision', ...scene.name, decision: 'cancel' });
  await scene.rome.restart();
  expect(scene.rome.steps.records.size).toBe(0);
});

test('a record of a step that cannot be read stops the step, and is no fresh start', async () => {
  await using scene = new Scene();
  scene.mark('prepare', 'started');
  await scene.ask('prepare');
  await scene.cast.clock.advance(200);
  const [key = ''] = scene.rome.steps.records.keys();
  for (const text of ['', '{', '[]', '{"attempt":1}', '{"attempt":"1","isBegun":true}']) {
    scene.rome.steps.records.set(key, new TextEncoder().encode(text));
    await expect(scene.ask('prepare')).rejects.toMatchObject({ code: 'corrupt' });
  }
  expect(scene.cast.count('prepare')).toBe(1);
});
