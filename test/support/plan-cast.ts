import { HoldfastError } from '../../src/core/errors.ts';
import { commandIn } from '../../src/core/format/control-peek.ts';
import type { ControlBody, PlanHash } from '../../src/core/format/control-records.ts';
import { decodeRequest, encodeRequest } from '../../src/core/format/exchange.ts';
import type { DatasetId, PeerKey, StatementHash } from '../../src/core/ids.ts';
import { encodePlan, planHash } from '../../src/core/policy/plan-text.ts';
import type { PlanStep, RestorePlan } from '../../src/core/policy/restore-plan.ts';
import type { PlanRun } from '../../src/core/protocol/control/plan-run.ts';
import type { Answer, ExchangeKind, Question } from '../../src/core/protocol/exchange-kinds.ts';
import type { Cancel } from '../../src/ports/runtime.ts';
import { PlanCoordinator } from '../../src/services/plan/coordinator.ts';
import { FenceVoter } from '../../src/services/plan/fence-voter.ts';
import type { StepActions, StepTask } from '../../src/services/plan/step-actions.ts';
import type { StepOutcome } from '../../src/services/plan/step-outcome.ts';
import { PlanWorker } from '../../src/services/plan/worker.ts';
import { collectingLog } from './collecting-log.ts';
import { ManualClock } from './manual-clock.ts';
import { type MemoryControl, MemoryControlLog } from './memory-control.ts';
import { MemoryFenceStore, MemoryStepStore } from './memory-fence-store.ts';
import { type SampleAgent, SampleCluster, sampleAgent } from './sample-cluster.ts';

/** One thing that was done for a step. */
export type Deed = {
  readonly what: string;
  readonly attempt: number;
  readonly by: string;
  readonly isUndo: boolean;
  readonly isEnd: boolean;
};

/** How a step goes: after how long, and how it ends. */
export type Play = { readonly ms?: number; readonly fails?: string; readonly onlyAttempt?: number };

/** One host of the cast: what is on its disk outlives its processes. */
export class Actor implements StepActions {
  readonly agent: SampleAgent;
  readonly fences = new MemoryFenceStore();
  readonly steps = new MemoryStepStore();
  readonly log = collectingLog();
  readonly #cast: PlanCast;
  control: MemoryControl;
  worker: PlanWorker;
  #stop = new AbortController();
  #running: Promise<void>[] = [];
  isUp = true;

  constructor(cast: PlanCast, agent: SampleAgent) {
    this.#cast = cast;
    this.agent = agent;
    this.control = cast.log.access(agent);
    this.worker = this.#newWorker();
  }

  get name(): string {
    return this.agent.descriptor.name;
  }

  /** Starts coordinator, worker and voter. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    await this.worker.start();
    const { control, fences, log, worker } = this;
    const { clock } = this.#cast;
    const peers = this.#cast.peersOf(this);
    const coordinator = new PlanCoordinator({ control, peers, worker, clock, log });
    const voter = new FenceVoter({ control, fences, clock, log });
    this.#running = [coordinator.run({ signal }), voter.run({ signal })];
  }

  /** As kill -9 does: from this call on, nothing that was under way says another word. */
  async kill(): Promise<void> {
    this.isUp = false;
    this.control.isCut = true;
    this.#stop.abort(new HoldfastError('interrupted', 'killed'));
    await this.worker[Symbol.asyncDispose]();
    await Promise.all(this.#running);
  }

  async restart(): Promise<void> {
    if (this.isUp) await this.kill();
    this.#stop = new AbortController();
    this.control = this.#cast.log.access(this.agent);
    this.worker = this.#newWorker();
    this.isUp = true;
    await this.start();
  }

  #newWorker(): PlanWorker {
    const { control, fences, steps, log } = this;
    const { clock } = this.#cast;
    const keys = { recipient: async () => 'age1', forget: async () => {} };
    return new PlanWorker({ control, fences, steps, actions: this, keys, clock, log });
  }

  perform(task: StepTask): Promise<StepOutcome> {
    return this.#play(task, false);
  }

  undo(task: StepTask): Promise<StepOutcome> {
    return this.#play(task, true);
  }

  async #play(task: StepTask, isUndo: boolean): Promise<StepOutcome> {
    const { clock, deeds, plays } = this.#cast;
    const what = task.step.id;
    const deed = { what, attempt: task.attempt, by: this.name, isUndo };
    deeds.push({ ...deed, isEnd: false });
    this.#cast.onDeed?.();
    const play = plays.get(isUndo ? `undo ${what}` : what) ?? {};
    await clock.sleep(play.ms ?? 100, { signal: task.signal });
    deeds.push({ ...deed, isEnd: true });
    this.#cast.onDeed?.();
    const isMeant = play.onlyAttempt === undefined || play.onlyAttempt === task.attempt;
    const evidence = Uint8Array.of(task.attempt);
    if (play.fails !== undefined && isMeant) {
      return { state: 'failed', detail: play.fails, evidence };
    }
    return { state: 'done', detail: 'well', evidence };
  }
}

/** Several hosts around one control log, in one process and in a time of their own. */
export class PlanCast {
  readonly clock = new ManualClock();
  readonly cluster: SampleCluster;
  readonly log: MemoryControlLog;
  readonly deeds: Deed[] = [];
  /** Called after each deed was noted. */
  onDeed: (() => void) | undefined;
  readonly plays = new Map<string, Play>();
  readonly actors: Actor[];
  /** Pairs of names that cannot reach each other. */
  readonly cuts = new Set<string>();

  /** The founder's site is oslo; every other site has as many hosts as are asked for. */
  constructor(
    sites: readonly string[] = ['rome', 'cairo'],
    { hosts = 1, byzantineVoters = 0 } = {},
  ) {
    this.cluster = new SampleCluster('sample', { byzantineVoters });
    this.log = new MemoryControlLog(this.cluster, this.clock);
    const others = sites.flatMap((site) =>
      Array.from({ length: hosts }, (_, i) =>
        i === 0 ? sampleAgent(site) : sampleAgent(site, { name: `${site}-host-${i + 1}` }),
      ),
    );
    const voters = [
      this.cluster.founder,
      ...others.filter(({ descriptor }) => descriptor.name === `${descriptor.site}-host`),
    ];
    this.log.admit(others);
    this.log.vote(voters.map(({ agentKey }) => agentKey));
    this.actors = [this.cluster.founder, ...others].map((agent) => new Actor(this, agent));
  }

  actor(site: string): Actor {
    const found = this.actors.find(({ agent }) => agent.descriptor.site === site);
    if (found === undefined) throw new Error(`nobody is at ${site}`);
    return found;
  }

  async start(leader: string): Promise<void> {
    for (const actor of this.actors) await actor.start();
    this.log.lead(this.actor(leader).agent.agentKey);
  }

  lead(site: string | undefined): void {
    this.log.lead(site === undefined ? undefined : this.actor(site).agent.agentKey);
  }

  /** As operators submit a plan, and grant keys to whoever may have to restore. */
  submit(plan: RestorePlan): { readonly plan: PlanHash; readonly run: number } {
    const bytes = encodePlan(plan);
    const hash = planHash(bytes);
    this.log.say({ kind: 'plan', plan: bytes, hash });
    const { run } = this.run(hash);
    this.grant({ plan: hash, run });
    return { plan: hash, run };
  }

  grant(name: { readonly plan: PlanHash; readonly run: number }): void {
    const sealed = { kind: 'inline', bytes: Uint8Array.of(1) } as const;
    for (const { agent } of this.log.state.members.all()) {
      this.log.say({ kind: 'grant', ...name, agent, sealed, lastsMs: 86_400_000 });
    }
  }

  /** The newest run, as the whole log has it. */
  run(hash: PlanHash): PlanRun {
    const run = this.log.state.plans.of(hash)?.runs.at(-1);
    if (run === undefined) throw new Error('there is no such run');
    return run;
  }

  /** Lets time pass until it is so. */
  async until(what: string, isSo: () => boolean, maxMs = 600_000): Promise<void> {
    for (let ms = 0; ms < maxMs; ms += 250) {
      if (isSo()) return;
      await this.clock.advance(250);
    }
    throw new Error(`it never came about: ${what}`);
  }

  async untilRun(hash: PlanHash, state: PlanRun['state'], maxMs?: number): Promise<PlanRun> {
    await this.until(`the run is ${state}`, () => this.run(hash).state === state, maxMs);
    return this.run(hash);
  }

  /** How often a step was begun. */
  count(what: string, isUndo = false): number {
    return this.deeds.filter((one) => one.what === what && one.isUndo === isUndo && !one.isEnd)
      .length;
  }

  peersOf(actor: Actor): {
    isReachable: (peer: PeerKey) => boolean;
    ask: <Kind extends ExchangeKind>(
      peer: PeerKey,
      question: Question<Kind>,
      options?: Cancel,
    ) => Promise<Answer<Kind>>;
  } {
    const reached = (peer: PeerKey): Actor | undefined => {
      const other = this.actors.find(({ agent }) => agent.peerKey === peer);
      if (other === undefined || !other.isUp || !actor.isUp) return undefined;
      return this.cuts.has([actor.name, other.name].sort().join()) ? undefined : other;
    };
    return {
      isReachable: (peer) => reached(peer) !== undefined,
      ask: async (peer, question) => {
        const other = reached(peer);
        if (other === undefined) throw new HoldfastError('peer-unreachable', 'no way to it');
        const request = encodeRequest({ body: question } as Parameters<typeof encodeRequest>[0]);
        const { body } = decodeRequest(request);
        if (body.case !== 'work') throw new HoldfastError('not-permitted', 'only work is answered');
        const answer = await other.worker.answer(body.value, actor.agent.agentKey);
        if (reached(peer) === undefined) throw new HoldfastError('peer-unreachable', 'it has gone');
        return answer as never;
      },
    };
  }

  cut(a: string, b: string): void {
    this.cuts.add([this.actor(a).name, this.actor(b).name].sort().join());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.actors.filter(({ isUp }) => isUp).map((actor) => actor.kill()));
  }
}

export const dataset = 'd'.repeat(32) as DatasetId;

/** A plan for the site rome: restores, then checks, then a hook; oslo holds the dataset. */
export function samplePlan(
  change: Partial<RestorePlan> & { readonly writer: RestorePlan['datasets'][number]['writer'] },
): RestorePlan {
  const { writer, ...rest } = change;
  const snapshot = 'e'.repeat(64) as StatementHash;
  return {
    version: 1,
    name: 'move',
    target: { site: 'rome' },
    datasets: [{ name: 'db', id: dataset, writer, snapshot, sequence: 3, path: '' }],
    steps: sampleSteps(),
    onFailure: 'escalate',
    created: 'for a test',
    ...rest,
  };
}

/** The sample plan of this cast. */
export function planOf(cast: PlanCast, change: Partial<RestorePlan> = {}): RestorePlan {
  return samplePlan({ writer: cast.cluster.founder.agentKey, ...change });
}

/** Commands of the log that were applied, of one kind. */
export function applied<Kind extends ControlBody['kind']>(
  cast: PlanCast,
  kind: Kind,
): Extract<ControlBody, { kind: Kind }>[] {
  return cast.log.entries.flatMap((entry) => {
    if (entry.kind !== 'command' || cast.log.outcome(entry.index)?.outcome !== 'applied') return [];
    const { body } = commandIn(entry.envelope);
    return body.kind === kind ? [body as Extract<ControlBody, { kind: Kind }>] : [];
  });
}
const frame = { timeoutMs: 60_000, attempts: 2 };

/** restore and prepare side by side, then check, then start. */
export function sampleSteps(): PlanStep[] {
  return [
    { id: 'restore', kind: 'restore', dataset: 'db', to: '/srv/db', after: [], ...frame },
    { id: 'prepare', kind: 'hook', argv: ['prepare'], undo: ['tidy'], after: [], ...frame },
    {
      id: 'check',
      kind: 'check',
      probe: { kind: 'command', argv: ['check'] },
      after: ['restore', 'prepare'],
      ...frame,
    },
    { id: 'start', kind: 'hook', argv: ['start'], undo: ['stop'], after: ['check'], ...frame },
  ];
}

/** The sample steps, then the promotion of what was restored. */
export function promotingSteps(): PlanStep[] {
  return [
    ...sampleSteps(),
    { id: 'promote', kind: 'promote', dataset: 'db', after: ['start'], ...frame },
  ];
}
