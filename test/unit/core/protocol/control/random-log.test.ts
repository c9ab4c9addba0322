import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { Prng } from '../../../../../sim/prng.ts';
import { equal, toHex } from '../../../../../src/base/bytes.ts';
import { minuteMs } from '../../../../../src/base/units.ts';
import type {
  BodyOf,
  ControlBody,
  Fence,
  PlanHash,
} from '../../../../../src/core/format/control-records.ts';
import { ControlImageSchema } from '../../../../../src/core/format/gen/holdfast/v1/control_pb.js';
import { encodePlan, planHash } from '../../../../../src/core/policy/plan-text.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { beginGeneration } from '../../../../../src/core/protocol/control/new-generation.ts';
import { isOpen } from '../../../../../src/core/protocol/control/plan-run.ts';
import { type SampleAgent, startMs } from '../../../../support/sample-cluster.ts';
import {
  bergen,
  dbId,
  riga,
  SampleControl,
  samplePlan,
  substance,
  turku,
} from './sample-control.ts';

const stepsOfOneSeed = 80;

const byOperators = new Set(['plan', 'plan-decision', 'isolate', 'reinstate', 'layout', 'abandon']);

/** Commands that are sometimes right and often wrong. */
class RandomAuthor {
  readonly log = SampleControl.full();
  readonly #random: Prng;

  constructor(seed: number) {
    this.#random = new Prng(seed);
  }

  /** The next command with its signer: every other one brings a restore further, where one can be brought. */
  next(): { body: ControlBody; secret: Uint8Array } {
    const useful = this.#random.below(2) === 0 ? this.#useful() : undefined;
    if (useful !== undefined) return useful;
    const agent = this.#agent();
    const make = this.#pick(this.#choices(agent));
    const body = make();
    const isOperators = byOperators.has(body.kind) && this.#random.below(3) > 0;
    return { body, secret: isOperators ? this.log.operator : agent.statementSecret };
  }

  /** What a coordinator, a holder or a voter would say now. */
  #useful(): { body: ControlBody; secret: Uint8Array } | undefined {
    const { state, oslo } = this.log;
    const known = state.incarnations.of(dbId);
    const slot = known?.slot;
    if (known !== undefined && slot !== undefined) {
      const voter = this.#pick([oslo, bergen, turku]);
      const { incarnation } = known;
      const body = this.#vote(slot.fence, { incarnation, generation: slot.generation });
      return { body, secret: voter.statementSecret };
    }
    const { hash, run } = this.#run();
    const found = state.plans.runOf({ plan: hash, run });
    if (found === undefined || !isOpen(found.run)) {
      return { body: this.#plan(), secret: this.log.operator };
    }
    const { fence, coordinator = turku.agentKey } = found.run.assignment ?? {};
    const leader = [oslo, bergen, turku].find(({ agentKey }) => agentKey === coordinator) ?? turku;
    const secret = leader.statementSecret;
    if (fence === undefined) {
      const body = { kind: 'assign', plan: hash, run, coordinator: leader.agentKey } as const;
      return { body, secret };
    }
    const [step] = state.plans.runnable({ plan: hash, run });
    const started = [...found.run.steps].find(([, at]) => at.state === 'started');
    const id = started?.[0] ?? step?.id;
    if (id === undefined) return undefined;
    if (id === 'promote-db') return this.#promote({ hash, run, fence }, secret);
    const outcome = started === undefined ? 'started' : 'done';
    return { body: this.#markOf({ hash, run, fence }, id, outcome), secret };
  }

  /** First the holder lets go; then the next incarnation is asked for. */
  #promote(
    at: { hash: PlanHash; run: number; fence: Fence },
    secret: Uint8Array,
  ): { body: ControlBody; secret: Uint8Array } {
    const known = this.log.state.incarnations.of(dbId);
    const incarnation = known?.incarnation ?? 0;
    const holder = [this.log.oslo, bergen].find(({ agentKey }) => agentKey === known?.holder);
    if (known?.state === 'live' && holder !== undefined) {
      const body = { kind: 'demote', dataset: dbId, incarnation } as const;
      return { body, secret: holder.statementSecret };
    }
    const body = { ...this.log.promotion(at), run: at.run, incarnation: incarnation + 1 };
    return { body, secret };
  }

  decree(): Uint8Array {
    const generation = this.log.state.generation + 1;
    const body: BodyOf<'decree'> = {
      kind: 'decree',
      generation,
      voters: [this.log.oslo, bergen, turku].map(({ agentKey }) => agentKey),
      abandoned: [],
      logSize: this.log.index,
      rootHash: new Uint8Array(32),
      reason: 'a majority is lost',
      noticeMs: 30 * minuteMs,
      announcedMs: startMs,
    };
    return this.log.seal(body, [this.log.operator], { generation });
  }

  #choices(agent: SampleAgent): (() => ControlBody)[] {
    const { hash, run, fence } = this.#run();
    const { agentKey } = agent;
    const { incarnation } = this.log.state.incarnations.of(dbId) ?? { incarnation: 0 };
    const slotFence = this.log.state.incarnations.of(dbId)?.slot?.fence ?? fence;
    const target = bergen.agentKey;
    const near = Math.max(incarnation + this.#random.below(2), 1);
    return [
      () => this.#plan(),
      () => ({ kind: 'assign', plan: hash, run, coordinator: agentKey }),
      ...Array.from({ length: 6 }, () => () => this.#mark({ hash, run, fence })),
      () => ({ kind: 'demote', dataset: dbId, incarnation }),
      () => ({ ...this.log.promotion({ hash, fence }), run, incarnation: incarnation + 1 }),
      () => ({ ...this.log.promotion({ hash, fence }), run, incarnation: near }),
      ...Array.from({ length: 3 }, () => () => this.#vote(slotFence, { incarnation, target })),
      () => this.#vote(slotFence, { incarnation, target: undefined }),
      () => this.#vote(slotFence, { incarnation: near, target: agentKey }),
      () => this.#isolate(),
      () => ({ kind: 'abandon', dataset: dbId, incarnation: near, reason: 'no' }),
      ...Array.from({ length: 3 }, () => () => this.#reinstate()),
      ...Array.from({ length: 3 }, () => () => this.#decision({ hash, run })),
      () => ({ kind: 'site-report', site: 'oslo', state: this.#pick(['lost', 'seen']) }),
      () => this.#anchor(),
      () => ({ kind: 'time', logTimeMs: startMs + this.#random.below(1000) }),
      () => this.#layout(),
    ];
  }

  #plan(): ControlBody {
    const holder = this.log.state.incarnations.of(dbId)?.holders.at(-1)?.agent;
    const writer = [this.log.oslo, bergen].find(({ agentKey }) => agentKey === holder);
    const name = `plan-${this.#random.below(3)}`;
    const onFailure = this.#pick(['escalate', 'roll-back'] as const);
    const plan = encodePlan(samplePlan(writer ?? this.log.oslo, { name, onFailure }));
    return { kind: 'plan', plan, hash: planHash(plan) };
  }

  #run(): { hash: PlanHash; run: number; fence: Fence } {
    const runs = this.log.state.plans.all().flatMap((record) =>
      record.runs.map((run) => ({
        hash: record.hash,
        run: run.run,
        fence: run.assignment?.fence ?? { generation: 1, index: 1 },
        isOpen: isOpen(run),
      })),
    );
    const open = runs.filter((run) => run.isOpen);
    const none = { hash: planHash(new Uint8Array()), run: 1, fence: { generation: 1, index: 1 } };
    return this.#pick(open.length > 0 ? open : [none, ...runs]);
  }

  #mark(at: { hash: PlanHash; run: number; fence: Fence }): ControlBody {
    const step = this.#pick(['restore-db', 'check-db', 'promote-db']);
    const outcomes = [
      'started',
      'done',
      'started',
      'done',
      'failed',
      'undone',
      'escalated',
    ] as const;
    return this.#markOf(at, step, this.#pick(outcomes));
  }

  #markOf(
    { hash, run, fence }: { hash: PlanHash; run: number; fence: Fence },
    step: string,
    outcome: BodyOf<'mark'>['outcome'],
  ): ControlBody {
    const at = this.log.state.plans.runOf({ plan: hash, run })?.run.steps.get(step);
    const attempt = Math.max((at?.attempt ?? 0) + (outcome === 'started' ? 1 : 0), 1);
    const worker = bergen.agentKey;
    const rest = { detail: '', evidence: new Uint8Array() };
    return { kind: 'mark', plan: hash, run, step, attempt, fence, outcome, worker, ...rest };
  }

  #vote(fence: Fence, change: Partial<BodyOf<'fence-vote'>>): ControlBody {
    return this.log.vote(fence, { ...change, incarnation: Math.max(change.incarnation ?? 1, 1) });
  }

  #isolate(): ControlBody {
    const dataset = this.#pick([dbId, undefined]);
    return { kind: 'isolate', agent: this.#agent().agentKey, dataset, reason: 'attested' };
  }

  #reinstate(): ControlBody {
    const last = this.log.state.incarnations.of(dbId)?.holders.at(-1)?.agent;
    const agent = this.#pick([this.#agent().agentKey, last ?? riga.agentKey]);
    return { kind: 'reinstate', agent, dataset: dbId };
  }

  #decision(at: { hash: PlanHash; run: number }): ControlBody {
    const decision = this.#pick(['cancel', 'resume', 'resume', 'roll-back'] as const);
    return { kind: 'plan-decision', plan: at.hash, run: at.run, decision };
  }

  #anchor(): ControlBody {
    const host = this.#agent().descriptor.name;
    return this.log.manifest(1 + this.#random.below(5), { host }).body;
  }

  #layout(): ControlBody {
    const { version } = this.log.state.layout.current;
    const base = version - this.#random.below(2);
    return { kind: 'layout', version: base + 1, base, mode: 'auto', voters: [] };
  }

  #agent(): SampleAgent {
    return this.#pick([this.log.oslo, bergen, turku, turku, riga]);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)] as Item;
  }
}

/** What no log may lead to. Fed after every entry. */
class Invariants {
  readonly #fences = new Map<string, Fence>();
  readonly #decided = new Map<string, string>();
  #incarnation = 0;

  check(state: ControlState): void {
    this.#checkHolders(state);
    this.#checkFences(state);
    this.#checkSlots(state);
  }

  #checkHolders(state: ControlState): void {
    const holders = state.members
      .all()
      .filter(({ agent }) => state.mayWrite(agent, dbId).reason.startsWith('it holds'));
    if (state.incarnations.of(dbId) !== undefined) expect(holders.length).toBeLessThanOrEqual(1);
  }

  #checkFences(state: ControlState): void {
    for (const { record, run } of state.plans.open()) {
      const fence = run.assignment?.fence;
      if (fence === undefined) continue;
      const key = `${record.hash}/${run.run}`;
      const before = this.#fences.get(key) ?? fence;
      const order = fence.generation - before.generation || fence.index - before.index;
      expect(order).toBeGreaterThanOrEqual(0);
      this.#fences.set(key, fence);
    }
  }

  #checkSlots(state: ControlState): void {
    const known = state.incarnations.of(dbId);
    if (known === undefined) return;
    expect(known.incarnation).toBeGreaterThanOrEqual(this.#incarnation);
    expect(known.incarnation - this.#incarnation).toBeLessThanOrEqual(1);
    this.#incarnation = known.incarnation;
    const { certificate } = known;
    if (certificate === undefined) return;
    const slot = `${certificate.generation}/${certificate.incarnation}`;
    const words = `${certificate.target} ${certificate.votes.map(toHex).join(' ')}`;
    expect(this.#decided.get(slot) ?? words).toBe(words);
    this.#decided.set(slot, words);
  }

  get decidedCount(): number {
    return this.#decided.size;
  }
}

/** Checks that an image gives back the state. @returns what void entries must leave as it is */
function throughImage(state: ControlState): string {
  const bytes = state.encode();
  const copy = ControlState.decode(bytes, state.genesis, state.cluster);
  expect(equal(copy.encode(), bytes)).toBe(true);
  const image = fromBinary(ControlImageSchema, bytes);
  expect(equal(toBinary(ControlImageSchema, image), bytes)).toBe(true);
  expect(toHex(copy.hash())).toBe(toHex(state.hash()));
  return substance(copy);
}

function runSeed(seed: number): { decided: number; applied: Set<string>; state: ControlState } {
  const author = new RandomAuthor(seed);
  const { log } = author;
  const invariants = new Invariants();
  const applied = new Set<string>();
  let before = throughImage(log.state);
  for (let i = 0; i < stepsOfOneSeed; i++) {
    if (i === stepsOfOneSeed / 2) {
      log.state = beginGeneration(log.state, author.decree());
      log.index = 0;
      before = throughImage(log.state);
    }
    const { body, secret } = author.next();
    const outcome = log.say(body, secret);
    const after = throughImage(log.state);
    if (outcome === 'applied') applied.add(body.kind);
    else expect(after).toBe(before);
    before = after;
    invariants.check(log.state);
  }
  return { decided: invariants.decidedCount, applied, state: log.state };
}

describe('random logs', () => {
  test('keep every invariant, and every image gives back the state that it was made of', () => {
    const applied = new Set<string>();
    let decided = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const result = runSeed(seed);
      decided += result.decided;
      for (const kind of result.applied) applied.add(kind);
    }
    // Else the invariants would have held for want of anything happening.
    expect(decided).toBeGreaterThan(0);
    const moving = ['plan', 'assign', 'mark', 'plan-decision', 'promote', 'fence-vote'];
    const proving = ['demote', 'isolate', 'reinstate'];
    expect([...applied]).toEqual(expect.arrayContaining([...moving, ...proving]));
  });

  test('one seed gives one state', () => {
    expect(toHex(runSeed(11).state.hash())).toBe(toHex(runSeed(11).state.hash()));
  });
});
