import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { encodePlan, planHash } from '../../../../src/core/policy/plan-text.ts';
import { encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import type { RestorePlan } from '../../../../src/core/policy/restore-plan.ts';
import {
  applied,
  dataset,
  PlanCast,
  planOf,
  promotingSteps,
  sampleSteps,
} from '../../../support/plan-cast.ts';

function isContested(cast: PlanCast): boolean {
  return cast.log.state.incarnations.of(dataset)?.state === 'contested';
}

test('a promotion without proof that the old copy is off is left to an operator, who attests it', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const name = cast.submit(planOf(cast, { steps: promotingSteps() }));
  const run = await cast.untilRun(name.plan, 'escalated');
  const { detail } = run.steps.get('promote') ?? {};
  expect(detail).toMatch(/nothing proves that incarnation 0 at oslo-host is off/);
  for (const way of ['demote', 'isolate', 'dead']) expect(detail).toContain(way);
  expect(applied(cast, 'promote')).toEqual([]);
  const founder = cast.cluster.founder.agentKey;
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  await cast.untilRun(name.plan, 'done');
  const rome = cast.actor('rome').agent.agentKey;
  const known = cast.log.state.incarnations.of(dataset);
  expect(known).toMatchObject({ incarnation: 1, state: 'live', holder: rome });
  expect(cast.log.state.mayWrite(founder, dataset).may).toBe(false);
});

test('votes that do not come in time are named, and the promotion goes on when they come', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const founder = cast.cluster.founder.agentKey;
  const name = cast.submit(planOf(cast, { steps: promotingSteps() }));
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  await cast.actor('oslo').kill();
  // A voter that cannot keep its word does not give it.
  const { fences } = cast.actor('rome');
  fences.voteFailure = new HoldfastError('disk-full', 'the disk is full');
  const run = await cast.untilRun(name.plan, 'escalated');
  expect(run.steps.get('promote')?.detail).toBe('votes are missing: oslo-host, rome-host');
  expect(cast.log.state.incarnations.of(dataset)?.state).toBe('contested');
  fences.voteFailure = undefined;
  await cast.until('the slot is decided', () => !isContested(cast));
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  await cast.untilRun(name.plan, 'done');
  expect(applied(cast, 'promote')).toHaveLength(1);
});

test('a promotion that an operator gives up is not tried again before the plan is resumed', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const founder = cast.cluster.founder.agentKey;
  const name = cast.submit(planOf(cast, { steps: promotingSteps() }));
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  const { fences } = cast.actor('rome');
  fences.voteFailure = new HoldfastError('disk-full', 'the disk is full');
  await cast.actor('oslo').kill();
  await cast.until('the slot is open', () => isContested(cast));
  await cast.clock.advance(2000);
  cast.log.say({ kind: 'abandon', dataset, incarnation: 1, reason: 'the wrong host' });
  fences.voteFailure = undefined;
  await cast.actor('oslo').restart();
  await cast.until('the slot is dead', () => !isContested(cast));
  await cast.clock.advance(60_000);
  expect(cast.run(name.plan).state).toBe('escalated');
  expect(applied(cast, 'promote')).toHaveLength(1);
  expect(cast.log.state.incarnations.of(dataset)?.certificate).toBeUndefined();
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  await cast.untilRun(name.plan, 'done');
  const known = cast.log.state.incarnations.of(dataset);
  expect(known).toMatchObject({ state: 'live', incarnation: 2 });
});

test('votes that are split for good are told at once, and ended by the word that the candidate is off', async () => {
  await using cast = new PlanCast(['rome', 'cairo'], { byzantineVoters: 1 });
  await cast.start('cairo');
  const { agentKey: founder, statementSecret } = cast.cluster.founder;
  const rome = cast.actor('rome').agent.agentKey;
  const name = cast.submit(planOf(cast, { steps: promotingSteps() }));
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  let lies = 1;
  cast.log.afterAppend = ({ kind }) => {
    const { slot, incarnation } = cast.log.state.incarnations.of(dataset) ?? {};
    if (kind !== 'promote' || slot === undefined || lies-- < 1) return;
    const { generation, fence } = slot;
    const word = { kind: 'fence-vote', dataset, generation, fence, target: undefined } as const;
    cast.log.say({ ...word, incarnation: incarnation ?? 0 }, [statementSecret]);
  };
  const run = await cast.untilRun(name.plan, 'escalated', 10_000);
  expect(run.steps.get('promote')?.detail).toMatch(
    /votes for incarnation 1 are split, 2 of 3, .* the copy at rome-host is off/,
  );
  cast.log.say({ kind: 'abandon', dataset, incarnation: 1, reason: 'in vain' });
  await cast.clock.advance(10_000);
  expect(isContested(cast)).toBe(true);
  cast.log.say({ kind: 'isolate', agent: rome, dataset, reason: 'nobody has used it' });
  expect(cast.log.state.incarnations.of(dataset)?.state).toBe('dead');
  cast.log.say({ kind: 'reinstate', agent: rome, dataset });
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'resume' });
  await cast.untilRun(name.plan, 'done');
  const live = { state: 'live', incarnation: 2, holder: rome };
  expect(cast.log.state.incarnations.of(dataset)).toMatchObject(live);
});

test('a promotion that was voted on goes on with the next coordinator', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const founder = cast.cluster.founder.agentKey;
  const name = cast.submit(planOf(cast, { steps: promotingSteps() }));
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  let killing: Promise<void> | undefined;
  cast.log.afterAppend = ({ kind }) => {
    if (kind !== 'promote') return;
    killing = cast.actor('cairo').kill();
    cast.lead('oslo');
  };
  await cast.untilRun(name.plan, 'done');
  await killing;
  expect(applied(cast, 'promote')).toHaveLength(1);
  expect(cast.log.state.incarnations.of(dataset)?.incarnation).toBe(1);
});

test('two coordinators that race never give a dataset two live copies', async () => {
  for (let round = 0; round < 5; round++) {
    await using cast = new PlanCast(['rome', 'cairo', 'lima', 'quito']);
    const founder = cast.cluster.founder.agentKey;
    await cast.start('cairo');
    cast.submit(planOf(cast, { name: 'first', steps: promotingSteps() }));
    cast.submit(
      planOf(cast, { name: 'second', target: { site: 'lima' }, steps: promotingSteps() }),
    );
    cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
    let live: string[] = [];
    cast.log.afterAppend = () => {
      const { holder, state } = cast.log.state.incarnations.of(dataset) ?? {};
      if (state === 'live' && holder !== undefined) live = [...new Set([...live, holder])];
    };
    const leaders = ['oslo', 'cairo', 'quito', 'rome'];
    for (let i = 0; i < 10; i++) {
      await cast.clock.advance(150 + 70 * round);
      cast.lead(leaders[(round + i) % leaders.length]);
    }
    await cast.clock.advance(60_000);
    const open = cast.log.state.plans.open().map(({ run }) => run.state);
    expect(open).toEqual(['escalated']);
    expect(live).toHaveLength(1);
    expect(applied(cast, 'promote')).toHaveLength(1);
    const voters = new Map(
      cast.actors.map((actor) => [actor.name, [...actor.fences.votes.keys()]]),
    );
    for (const votes of voters.values()) expect(votes.length).toBeLessThanOrEqual(1);
  }
});

test('a plan that a failover rule names is held until its site is lost', async () => {
  await using cast = new PlanCast();
  await cast.start('cairo');
  const plan = encoded(planOf(cast, { steps: sampleSteps() }));
  const rule = { dataset, site: 'rome', plan: plan.hash };
  cast.log.say({
    kind: 'policy',
    ...{ version: 2, base: 1 },
    document: encodePolicy({
      siteLostAfter: '60s',
      failover: { action: 'restore', standby: [rule] },
    }),
  });
  cast.log.say({ kind: 'plan', plan: plan.plan, hash: plan.hash });
  await cast.clock.advance(60_000);
  expect(cast.run(plan.hash).state).toBe('ready');
  for (const site of ['rome', 'cairo']) {
    const secret = cast.actor(site).agent.statementSecret;
    cast.log.say({ kind: 'site-report', site: 'oslo', state: 'lost' }, [secret]);
  }
  await cast.untilRun(plan.hash, 'done');
});

function encoded(plan: RestorePlan): { plan: Uint8Array; hash: ReturnType<typeof planHash> } {
  const bytes = encodePlan(plan);
  return { plan: bytes, hash: planHash(bytes) };
}
