import { toHex, utf8 } from '../../../../../src/base/bytes.ts';
import { minuteMs } from '../../../../../src/base/units.ts';
import { hash } from '../../../../../src/core/crypto/hash.ts';
import { sealCommand } from '../../../../../src/core/format/control-envelope.ts';
import type {
  AnchorHead,
  BodyOf,
  CommandId,
  ControlBody,
  Fence,
  PlanHash,
} from '../../../../../src/core/format/control-records.ts';
import type { Manifest } from '../../../../../src/core/format/records.ts';
import { type DatasetId, idOf, type StatementHash } from '../../../../../src/core/ids.ts';
import { encodePlan, planHash } from '../../../../../src/core/policy/plan-text.ts';
import type { PlanStep, RestorePlan } from '../../../../../src/core/policy/restore-plan.ts';
import {
  type ApplyOutcome,
  type ControlEntry,
  ControlState,
} from '../../../../../src/core/protocol/control/control-state.ts';
import type { Incarnation } from '../../../../../src/core/protocol/control/incarnation-book.ts';
import type { PlanRun } from '../../../../../src/core/protocol/control/plan-run.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  secretOf,
  startMs,
} from '../../../../support/sample-cluster.ts';

export const bergen = sampleAgent('bergen');
export const turku = sampleAgent('turku');
export const riga = sampleAgent('riga', { roles: ['source', 'storage'] });

export const dbId = idOf<DatasetId>(secretOf('dataset db').subarray(0, 16));

/** A control log of oslo (the founder), bergen and turku, who vote, and of riga, who does not. */
export class SampleControl {
  readonly cluster: SampleCluster;
  readonly entries: ControlEntry[] = [];
  state: ControlState;
  index = 0;
  #ids = 0;

  constructor(cluster = new SampleCluster()) {
    this.cluster = cluster;
    this.state = new ControlState(cluster.genesis, cluster.id);
  }

  /** With all members admitted and the three voters configured. */
  static full(cluster?: SampleCluster): SampleControl {
    const log = new SampleControl(cluster);
    for (const agent of [bergen, turku, riga]) log.admit(agent);
    log.configure([log.oslo, bergen, turku]);
    return log;
  }

  get oslo(): SampleAgent {
    return this.cluster.founder;
  }

  get operator(): Uint8Array {
    return this.cluster.operatorSecret;
  }

  /** A command's envelope with a fresh id. */
  seal(
    body: ControlBody,
    secrets: readonly Uint8Array[],
    change: { id?: CommandId; generation?: number; timeMs?: number } = {},
  ): Uint8Array {
    const id = change.id ?? commandId(`command ${this.#ids++}`);
    return sealCommand({
      command: { id, timeMs: change.timeMs ?? startMs, body },
      cluster: this.cluster.id,
      generation: change.generation ?? this.state.generation,
      secrets,
    }).bytes;
  }

  append(envelope: Uint8Array): ApplyOutcome {
    this.index++;
    const entry = { generation: this.state.generation, index: this.index, term: 1, envelope };
    this.entries.push(entry);
    return this.state.apply(entry);
  }

  /** "applied", or why not. */
  say(body: ControlBody, ...secrets: Uint8Array[]): string {
    const outcome = this.append(this.seal(body, secrets));
    return outcome.outcome === 'applied' ? 'applied' : outcome.reason;
  }

  byOperator(body: ControlBody): string {
    return this.say(body, this.operator);
  }

  by(agent: SampleAgent, body: ControlBody): string {
    return this.say(body, agent.statementSecret);
  }

  /** The manifest of that place of "db", signed by `of`: oslo, unless told otherwise. */
  manifest(
    sequence: number,
    { of = this.oslo, ...change }: { of?: SampleAgent } & Partial<Manifest> = {},
  ): { head: AnchorHead; body: BodyOf<'anchor'> } {
    const at = { dataset: dbId, sequence, ...change };
    const { envelope, hash: name } = this.cluster.manifestAt(of.statementSecret, at);
    const head = { writer: of.agentKey, dataset: at.dataset, sequence, hash: name };
    return { head, body: { kind: 'anchor', manifests: [envelope] } };
  }

  admission(agent: SampleAgent): BodyOf<'admit'> {
    const [invite, admission] = this.cluster.admit(agent) as [Uint8Array, Uint8Array];
    return { kind: 'admit', invite, admission };
  }

  admit(agent: SampleAgent): string {
    return this.by(this.oslo, this.admission(agent));
  }

  configure(voters: readonly SampleAgent[]): void {
    this.index++;
    const keys = voters.map(({ agentKey }) => agentKey);
    this.state.applyConfig({ voters: keys, learners: [] }, this.index);
  }

  // Restores

  plan(change: Partial<RestorePlan> = {}): RestorePlan {
    return samplePlan(this.oslo, change);
  }

  submit(plan = this.plan()): PlanHash {
    const bytes = encodePlan(plan);
    this.byOperator({ kind: 'plan', plan: bytes, hash: planHash(bytes) });
    return planHash(bytes);
  }

  assign(plan: PlanHash, agent: SampleAgent, run = 1): Fence {
    this.by(agent, { kind: 'assign', plan, run, coordinator: agent.agentKey });
    return { generation: this.state.generation, index: this.index };
  }

  /** A plan under way: coordinated by turku, its worker is bergen. */
  start(plan = this.plan()): { hash: PlanHash; fence: Fence } {
    const hash = this.submit(plan);
    return { hash, fence: this.assign(hash, turku) };
  }

  mark(
    at: { hash: PlanHash; fence: Fence },
    step: string,
    outcome: BodyOf<'mark'>['outcome'],
    change: Partial<BodyOf<'mark'>> & { by?: SampleAgent } = {},
  ): string {
    const { by = turku, ...rest } = change;
    return this.by(by, {
      kind: 'mark',
      plan: at.hash,
      run: 1,
      step,
      attempt: 1,
      fence: at.fence,
      outcome,
      worker: bergen.agentKey,
      detail: '',
      evidence: new Uint8Array(),
      ...rest,
    });
  }

  /** Restores and checks, so that only the promotion is left. */
  prove(at: { hash: PlanHash; fence: Fence }): void {
    for (const step of ['restore-db', 'check-db']) {
      this.mark(at, step, 'started');
      this.mark(at, step, 'done');
    }
  }

  promotion(
    at: { hash: PlanHash; fence: Fence },
    change: Partial<BodyOf<'promote'>> = {},
  ): BodyOf<'promote'> {
    return {
      kind: 'promote',
      dataset: dbId,
      name: 'db',
      incarnation: 1,
      target: bergen.agentKey,
      plan: at.hash,
      run: 1,
      step: 'promote-db',
      fence: at.fence,
      ...change,
    };
  }

  vote(fence: Fence, change: Partial<BodyOf<'fence-vote'>> = {}): BodyOf<'fence-vote'> {
    return {
      kind: 'fence-vote',
      dataset: dbId,
      incarnation: 1,
      generation: this.state.generation,
      target: bergen.agentKey,
      fence,
      ...change,
    };
  }

  /** An open slot for incarnation 1 at bergen; oslo has demoted itself. */
  contest(): { hash: PlanHash; fence: Fence } {
    const at = this.start();
    this.prove(at);
    this.by(this.oslo, { kind: 'demote', dataset: dbId, incarnation: 0 });
    this.by(turku, this.promotion(at));
    return at;
  }

  runOf(hash: PlanHash, run = 1): PlanRun {
    const found = this.state.plans.runOf({ plan: hash, run });
    if (found === undefined) throw new Error('there is no such run');
    return found.run;
  }

  db(): Incarnation {
    const found = this.state.incarnations.of(dbId);
    if (found === undefined) throw new Error('the dataset is unknown');
    return found;
  }
}

export function commandId(name: string): CommandId {
  return toHex(hash('path', utf8(name)).subarray(0, 16)) as CommandId;
}

export const sampleSteps: readonly PlanStep[] = [
  {
    id: 'restore-db',
    kind: 'restore',
    after: [],
    timeoutMs: minuteMs,
    attempts: 2,
    dataset: 'db',
    to: '/srv/db',
  },
  {
    id: 'check-db',
    kind: 'check',
    after: ['restore-db'],
    timeoutMs: minuteMs,
    attempts: 1,
    probe: { kind: 'tcp', address: 'localhost:5432' },
  },
  {
    id: 'promote-db',
    kind: 'promote',
    after: ['check-db'],
    timeoutMs: minuteMs,
    attempts: 1,
    dataset: 'db',
  },
];

/** Restores the dataset "db" of `writer` at bergen, checks and promotes it. */
export function samplePlan(writer: SampleAgent, change: Partial<RestorePlan> = {}): RestorePlan {
  return {
    version: 1,
    name: 'db-to-bergen',
    target: { site: 'bergen' },
    datasets: [
      {
        name: 'db',
        id: dbId,
        writer: writer.agentKey,
        snapshot: idOf<StatementHash>(secretOf('snapshot')),
        sequence: 7,
        path: '',
      },
    ],
    steps: sampleSteps,
    onFailure: 'escalate',
    created: 'by a test',
    ...change,
  };
}

/** Bytes of everything but where the log stands, the ids that it knows, and what people should look at. */
export function substance(state: ControlState): string {
  const copy = ControlState.decode(state.encode(), state.genesis, state.cluster);
  copy.resume({ generation: 1, lastIndex: 0, commandCount: 0 }, []);
  copy.findings.load({ voids: [], equivocations: [], warnings: [] });
  return toHex(copy.hash());
}
