import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Fence } from '../../../../src/core/format/control-records.ts';
import { FenceVoter } from '../../../../src/services/plan/fence-voter.ts';
import {
  type Actor,
  applied,
  dataset,
  PlanCast,
  planOf,
  promotingSteps,
} from '../../../support/plan-cast.ts';
import { sampleAgent } from '../../../support/sample-cluster.ts';

/** A slot is open for rome; nobody votes but those whom a test starts. */
class Scene implements AsyncDisposable {
  readonly cast = new PlanCast();
  readonly fence: Fence;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor() {
    const { cast } = this;
    const steps = promotingSteps().filter(({ id }) => id === 'restore' || id === 'promote');
    const shorter = steps.map((step) =>
      step.kind === 'promote' ? { ...step, after: ['restore'] } : step,
    );
    const name = cast.submit(planOf(cast, { steps: shorter }));
    const cairo = cast.actor('cairo').agent;
    const rome = cast.actor('rome').agent.agentKey;
    const by = [cairo.statementSecret];
    const body = { kind: 'assign', ...name, coordinator: cairo.agentKey } as const;
    this.fence = { generation: 1, index: cast.log.say(body, by) };
    for (const outcome of ['started', 'done'] as const) {
      const step = { step: 'restore', attempt: 1, worker: rome, detail: '' };
      const mark = { ...name, ...step, outcome, fence: this.fence, evidence: new Uint8Array() };
      cast.log.say({ kind: 'mark', ...mark }, by);
    }
    const agent = cast.cluster.founder.agentKey;
    cast.log.say({ kind: 'isolate', agent, dataset: undefined, reason: 'powered off' });
    const slot = { dataset, name: 'db', incarnation: 1, target: rome, step: 'promote' };
    cast.log.say({ kind: 'promote', ...name, ...slot, fence: this.fence }, by);
    cast.lead('cairo');
  }

  start({ control, fences, log }: Actor): void {
    const { clock } = this.cast;
    const voter = new FenceVoter({ control, fences, clock, log });
    this.#running.push(voter.run({ signal: this.#stop.signal }));
  }

  get votes(): number {
    return applied(this.cast, 'fence-vote').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HoldfastError('interrupted', 'the test is over'));
    await Promise.all(this.#running);
  }
}

const slotName = `1-${dataset}-1`;

test('a voter grants the candidate that the log names, once, and keeps its word first', async () => {
  await using scene = new Scene();
  const { cast, fence } = scene;
  const oslo = cast.actor('oslo');
  let kept: unknown;
  cast.log.beforeAppend = () => {
    kept = oslo.fences.votes.get(slotName);
  };
  scene.start(oslo);
  await cast.clock.advance(10_000);
  const target = cast.actor('rome').agent.agentKey;
  expect(kept).toEqual({ target, fence });
  expect(applied(cast, 'fence-vote')).toMatchObject([{ dataset, incarnation: 1, target, fence }]);
  expect(cast.log.state.incarnations.of(dataset)?.state).toBe('contested');
  scene.start(cast.actor('rome'));
  await cast.clock.advance(2000);
  expect(cast.log.state.incarnations.of(dataset)).toMatchObject({ state: 'live', holder: target });
});

test('a vote that was kept but not heard is given again, the same', async () => {
  await using scene = new Scene();
  const { cast } = scene;
  const oslo = cast.actor('oslo');
  oslo.control.isCut = true;
  scene.start(oslo);
  await cast.clock.advance(5000);
  expect(scene.votes).toBe(0);
  const kept = oslo.fences.votes.get(slotName);
  expect(kept).toBeDefined();
  oslo.control.isCut = false;
  await cast.clock.advance(5000);
  expect(scene.votes).toBe(1);
  expect(oslo.fences.votes.get(slotName)).toEqual(kept);
});

test('a vote that cannot be kept is not given', async () => {
  await using scene = new Scene();
  const { cast } = scene;
  const oslo = cast.actor('oslo');
  oslo.fences.voteFailure = new HoldfastError('disk-full', 'the disk is full');
  scene.start(oslo);
  await cast.clock.advance(10_000);
  expect(scene.votes).toBe(0);
});

test('a voter that has voted for another candidate stands by it, and says so', async () => {
  await using scene = new Scene();
  const { cast } = scene;
  const oslo = cast.actor('oslo');
  const target = cast.actor('cairo').agent.agentKey;
  await oslo.fences.castVote(slotName, { target, fence: scene.fence });
  scene.start(oslo);
  await cast.clock.advance(10_000);
  expect(scene.votes).toBe(0);
  expect(cast.log.state.findings.equivocations).toEqual([]);
  const errors = oslo.log.lines.filter(({ level }) => level === 'error');
  expect(errors.map(({ message }) => message)).toEqual([
    'the log asks for another vote than was given',
  ]);
});

test('a voter that has not voted gives up what an operator wants given up, once', async () => {
  await using scene = new Scene();
  const { cast, fence } = scene;
  cast.log.say({ kind: 'abandon', dataset, incarnation: 1, reason: 'the wrong host' });
  for (const name of ['oslo', 'rome']) scene.start(cast.actor(name));
  await cast.clock.advance(5000);
  const word = { target: undefined, fence };
  expect(cast.actor('oslo').fences.votes.get(slotName)).toEqual(word);
  expect(applied(cast, 'fence-vote')).toMatchObject([word, word]);
  expect(cast.log.state.incarnations.of(dataset)).toMatchObject({ state: 'dead' });
});

test('a voter that has granted a promotion says so, also when it is given up by then', async () => {
  await using scene = new Scene();
  const { cast, fence } = scene;
  const oslo = cast.actor('oslo');
  const target = cast.actor('rome').agent.agentKey;
  await oslo.fences.castVote(slotName, { target, fence });
  cast.log.say({ kind: 'abandon', dataset, incarnation: 1, reason: 'the wrong host' });
  scene.start(oslo);
  await cast.clock.advance(5000);
  expect(applied(cast, 'fence-vote')).toMatchObject([{ target, fence }]);
});

test('who was no voter when the slot was opened says nothing', async () => {
  await using scene = new Scene();
  const { cast } = scene;
  const oslo = cast.actor('oslo');
  const stranger = sampleAgent('lima');
  const { control, fences, log } = oslo;
  Object.defineProperty(control, 'self', { value: stranger.agentKey });
  scene.start({ control, fences, log } as Actor);
  await cast.clock.advance(10_000);
  expect(fences.votes.size).toBe(0);
  expect(scene.votes).toBe(0);
});
