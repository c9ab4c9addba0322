import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { applied, PlanCast, planOf } from '../../../support/plan-cast.ts';

/** What must hold whatever happened. */
function checkHistory(cast: PlanCast): void {
  const fences = applied(cast, 'mark').map(({ fence }) => fence.index);
  expect(fences).toEqual(fences.toSorted((a, b) => a - b));
  const hooks = cast.deeds
    .filter(({ what, isEnd }) => (what === 'prepare' || what === 'start') && !isEnd)
    .map(({ what, attempt, isUndo }) => `${isUndo} ${what} ${attempt}`);
  expect(new Set(hooks).size, hooks.join()).toBe(hooks.length);
}

test('a plan is carried out in the order of its graph, independent steps side by side', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  const run = await cast.untilRun(plan, 'done');
  const told = cast.deeds.map(({ what, isEnd }) => `${what}${isEnd ? '.' : ''}`);
  expect(told.slice(0, 2).sort()).toEqual(['prepare', 'restore']);
  expect(told.slice(2, 4).sort()).toEqual(['prepare.', 'restore.']);
  expect(told.slice(4)).toEqual(['check', 'check.', 'start', 'start.']);
  expect(cast.deeds.every(({ by }) => by === 'rome-host')).toBe(true);
  expect([...run.steps.values()].map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
  expect(run.steps.get('start')?.evidence).toEqual(Uint8Array.of(1));
  checkHistory(cast);
});

test('a restore waits for the keys that operators grant to its worker', async () => {
  await using cast = new PlanCast();
  cast.grant = () => {};
  await cast.start('cairo');
  const name = cast.submit(planOf(cast));
  await cast.until('the hook', () =>
    cast.deeds.some(({ what, isEnd }) => what === 'prepare' && isEnd),
  );
  expect(cast.deeds.map(({ what }) => what)).not.toContain('restore');
  Reflect.deleteProperty(cast, 'grant');
  cast.grant(name);
  const run = await cast.untilRun(name.plan, 'done');
  expect([...run.steps.values()].map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
});

test('a leader that has to do a step itself asks its own worker', async () => {
  await using cast = new PlanCast();
  await cast.start('rome');
  const { plan } = cast.submit(planOf(cast));
  await cast.untilRun(plan, 'done');
  expect(cast.deeds.every(({ by }) => by === 'rome-host')).toBe(true);
});

test('nothing happens while nobody leads, or a member that is no leader sees the plan', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  cast.lead(undefined);
  const { plan } = cast.submit(planOf(cast));
  await cast.clock.advance(60_000);
  expect(cast.deeds).toEqual([]);
  cast.lead('oslo');
  await cast.untilRun(plan, 'done');
});

/** Kills the coordinator in cairo at the nth moment of a kind; oslo leads from there on. */
async function runWithKill(
  moment: 'before an entry' | 'after an entry' | 'at a deed',
  n: number,
): Promise<{ wasKilled: boolean }> {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  let count = 0;
  let killing: Promise<void> | undefined;
  const strike = (): boolean => {
    if (killing !== undefined || count++ !== n) return false;
    killing = cast.actor('cairo').kill();
    cast.lead('oslo');
    return true;
  };
  if (moment === 'before an entry') {
    cast.log.beforeAppend = () => {
      if (strike()) throw new HoldfastError('interrupted', 'the process is gone');
    };
  } else if (moment === 'after an entry') cast.log.afterAppend = strike;
  else cast.onDeed = strike;
  await cast.untilRun(plan, 'done');
  await killing;
  checkHistory(cast);
  expect(cast.count('prepare')).toBe(1);
  expect(cast.count('start')).toBe(1);
  expect(cast.run(plan).steps.get('start')?.attempt).toBe(1);
  return { wasKilled: killing !== undefined };
}

for (const moment of ['before an entry', 'after an entry', 'at a deed'] as const) {
  test(`when the coordinator is killed ${moment}, another finishes and every hook runs once`, async () => {
    let n = 0;
    while ((await runWithKill(moment, n)).wasKilled) n++;
    // Four steps, each started and ended: as many moments at least were tried.
    expect(n).toBeGreaterThanOrEqual(8);
  });
}

test('a deposed coordinator that comes back does nothing, and what it still asks is refused', async () => {
  await using cast = new PlanCast();
  cast.plays.set('restore', { ms: 20_000 });
  await cast.start('cairo');
  const { plan, run } = cast.submit(planOf(cast));
  await cast.until('the restore runs', () => cast.count('restore') === 1);
  const old = cast.run(plan).assignment?.fence;
  cast.lead('oslo');
  await cast.until('oslo has taken over', () => cast.run(plan).assignment?.fence !== old);
  const order = { plan, run, step: 'restore', attempt: 1, kind: 'cancel' } as const;
  const late = { ...order, fence: old ?? { generation: 1, index: 1 }, undoAttempt: 0 };
  const cairo = cast.actor('cairo').agent.agentKey;
  await expect(
    cast.actor('rome').worker.work({ ...late, sinceIndex: 0 }, cairo),
  ).rejects.toMatchObject({ code: 'not-permitted' });
  await cast.untilRun(plan, 'done');
  expect(cast.count('restore')).toBe(1);
  checkHistory(cast);
});

test('leadership that comes and goes costs nothing but fences', async () => {
  await using cast = new PlanCast();
  for (const step of ['restore', 'prepare', 'check', 'start']) cast.plays.set(step, { ms: 7000 });
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  const leaders = ['oslo', 'rome', undefined, 'cairo', 'oslo'];
  for (const leader of leaders) {
    await cast.clock.advance(2600);
    cast.lead(leader);
  }
  await cast.untilRun(plan, 'done');
  for (const step of ['restore', 'prepare', 'check', 'start']) expect(cast.count(step)).toBe(1);
  expect(applied(cast, 'assign').length).toBeGreaterThanOrEqual(4);
  checkHistory(cast);
});

test('a step that fails is tried again after a pause, as often as the plan says', async () => {
  await using cast = new PlanCast();
  cast.plays.set('check', { fails: 'not yet', onlyAttempt: 1 });
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  const run = await cast.untilRun(plan, 'done');
  expect(run.steps.get('check')).toMatchObject({ state: 'done', attempt: 2 });
  expect(cast.count('check')).toBe(2);
});

test('a step that fails for the last time leaves the run to an operator, who may let it go on', async () => {
  await using cast = new PlanCast();
  cast.plays.set('check', { fails: 'the database does not answer' });
  await cast.start('cairo');
  const name = cast.submit(planOf(cast));
  const run = await cast.untilRun(name.plan, 'escalated');
  expect(run.steps.get('check')).toMatchObject({
    state: 'failed',
    attempt: 2,
    detail: 'the database does not answer',
  });
  expect(cast.count('start')).toBe(0);
  await cast.clock.advance(60_000);
  const told = cast.actor('cairo').log.lines.filter(({ level }) => level === 'error');
  expect(told).toHaveLength(1);
  expect(String(told[0]?.context.steps)).toContain('the database does not answer');
  const before = cast.run(name.plan).assignment?.fence;
  cast.plays.delete('check');
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  const after = await cast.untilRun(name.plan, 'done');
  expect(after.steps.get('check')).toMatchObject({ state: 'done', attempt: 3 });
  expect(after.assignment?.fence.index).toBeGreaterThan(before?.index ?? 0);
});

test('a plan that says so is rolled back when it fails: last done, first undone', async () => {
  await using cast = new PlanCast();
  cast.plays.set('start', { fails: 'no' });
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast, { onFailure: 'roll-back' }));
  const run = await cast.untilRun(plan, 'failed');
  expect([...run.steps.values()].map(({ state }) => state)).toEqual(Array(4).fill('undone'));
  const undone = cast.deeds.filter(({ isUndo, isEnd }) => isUndo && isEnd).map(({ what }) => what);
  expect(undone[0]).toBe('start');
  expect(undone.slice(1).sort()).toEqual(['prepare', 'restore']);
  checkHistory(cast);
});

test('undoing that fails is tried again, then left to an operator, whose word starts it anew', async () => {
  await using cast = new PlanCast();
  cast.plays.set('start', { fails: 'no' });
  cast.plays.set('undo prepare', { fails: 'it is busy' });
  await cast.start('cairo');
  const name = cast.submit(planOf(cast, { onFailure: 'roll-back' }));
  const run = await cast.untilRun(name.plan, 'escalated');
  expect(cast.count('prepare', true)).toBe(2);
  expect(run.steps.get('prepare')?.detail).toContain('it is busy');
  // Another coordinator does not take the old failures for new ones.
  cast.lead('oslo');
  cast.plays.delete('undo prepare');
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'roll-back' });
  await cast.untilRun(name.plan, 'failed');
  expect(cast.count('prepare', true)).toBe(3);
});

test('a cancelled run stops what is running', async () => {
  await using cast = new PlanCast();
  cast.plays.set('restore', { ms: 500_000 });
  await cast.start('cairo');
  const name = cast.submit(planOf(cast));
  await cast.until('the restore runs', () => cast.count('restore') === 1);
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'cancel' });
  await cast.clock.advance(2000);
  expect(cast.run(name.plan).state).toBe('cancelled');
  await cast.clock.advance(600_000);
  expect(cast.deeds.filter(({ what }) => what === 'restore')).toHaveLength(1);
  expect(cast.count('check')).toBe(0);
});

test('a step that takes longer than the plan allows has failed', async () => {
  await using cast = new PlanCast();
  cast.plays.set('prepare', { ms: 10_000_000 });
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  const run = await cast.untilRun(plan, 'escalated');
  expect(run.steps.get('prepare')).toMatchObject({ state: 'failed', attempt: 2 });
  expect(run.steps.get('prepare')?.detail).toContain('longer than the plan allows');
  checkHistory(cast);
});

test('a restore whose worker falls silent starts over at another agent of the site', async () => {
  await using cast = new PlanCast(['rome', 'cairo'], { hosts: 2 });
  cast.plays.set('restore', { ms: 30_000 });
  await cast.start('cairo');
  const { plan } = cast.submit(planOf(cast));
  await cast.until('the restore runs', () => cast.count('restore') === 1);
  const first = cast.deeds.find(({ what }) => what === 'restore')?.by ?? '';
  await cast.actors.find(({ name }) => name === first)?.kill();
  const run = await cast.untilRun(plan, 'done');
  const by = cast.deeds.filter(({ what, isEnd }) => what === 'restore' && !isEnd);
  expect(by.map((deed) => deed.by)).toEqual([first, expect.not.stringMatching(first)]);
  expect(run.steps.get('restore')?.attempt).toBe(2);
});

test('a step waits for an agent that can be reached, and is left to an operator after its time', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  await cast.actor('rome').kill();
  const name = cast.submit(planOf(cast));
  await cast.clock.advance(30_000);
  expect(cast.run(name.plan).state).toBe('running');
  const run = await cast.untilRun(name.plan, 'escalated');
  expect([...run.steps.values()].some(({ detail }) => detail.includes('can be reached'))).toBe(
    true,
  );
  await cast.actor('rome').restart();
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  await cast.untilRun(name.plan, 'done');
});

test('a plan for a site whose agents a decree has abandoned is left to an operator', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const gone = [cast.actor('rome').agent.agentKey];
  for (const { control } of cast.actors) control.state.members.abandon(gone);
  cast.log.state.members.abandon(gone);
  const name = cast.submit(planOf(cast));
  const run = await cast.untilRun(name.plan, 'escalated');
  const details = [...run.steps.values()].map(({ detail }) => detail);
  expect(details).toContainEqual(expect.stringContaining('can be reached'));
});
