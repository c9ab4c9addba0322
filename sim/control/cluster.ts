import type { AgentKey } from '../../src/core/ids.ts';
import type { ControlState } from '../../src/core/protocol/control/control-state.ts';
import { Internet } from '../internet.ts';
import type { Prng } from '../prng.ts';
import { World } from '../world.ts';
import { ControlAgent } from './agent.ts';
import { people } from './cast.ts';
import { Authorized } from './checkers/authorized.ts';
import { Bounded } from './checkers/bounded.ts';
import { CurrentFences } from './checkers/current-fences.ts';
import { FencesGrow } from './checkers/fences-grow.ts';
import { HooksOnce } from './checkers/hooks-once.ts';
import { MarksGrow } from './checkers/marks-grow.ts';
import { OneLeader } from './checkers/one-leader.ts';
import { OneLive } from './checkers/one-live.ts';
import { QuorumHolds } from './checkers/quorum-holds.ts';
import { SameState } from './checkers/same-state.ts';
import { VotesKept } from './checkers/votes-kept.ts';
import type { Begun } from './disk.ts';
import type { ControlChecker, ControlSeen } from './observation.ts';
import type { Parts } from './parts.ts';
import type { ControlPlan } from './plan.ts';

export type ControlViolation = {
  readonly atMs: number;
  readonly checker: string;
  readonly text: string;
};

/** All agents, the internet between them, and the checkers that watch them. */
export class ControlCluster {
  readonly world: World;
  readonly internet: Internet;
  readonly plan: ControlPlan;
  readonly agents: readonly ControlAgent[];
  readonly random: Prng;
  readonly #checkers: readonly ControlChecker[];
  readonly #listeners: ((seen: ControlSeen) => void)[] = [];
  /** The first thing that was wrong. */
  violation: ControlViolation | undefined;

  constructor(options: {
    readonly seed: number;
    readonly plan: ControlPlan;
    readonly parts: Parts;
    readonly begun: readonly Begun[];
  }) {
    const { seed, plan, parts, begun } = options;
    this.plan = plan;
    this.world = new World(seed ^ 0x2f0b4c47);
    this.random = this.world.random.fork();
    this.internet = new Internet(this.world);
    this.agents = people.map(
      (person, i) =>
        new ControlAgent({
          world: this.world,
          internet: this.internet,
          person,
          parts,
          begun: begun[i] as Begun,
          hasCheckpoints: plan.hasCheckpoints,
          observe: (seen) => this.#observe(seen),
          onFailure: (error) => this.fail('failure', String((error as Error).stack ?? error)),
        }),
    );
    const diskOf = (agent: AgentKey) => this.of(agent)?.disk;
    this.#checkers = [
      new OneLeader(),
      new SameState(),
      new OneLive(),
      new FencesGrow(),
      new HooksOnce(),
      new MarksGrow(),
      new CurrentFences(),
      new Authorized(),
      new QuorumHolds(diskOf),
      new VotesKept(diskOf),
      new Bounded(),
    ];
  }

  get isClean(): boolean {
    return this.violation === undefined;
  }

  of(agent: AgentKey): ControlAgent | undefined {
    return this.agents.find((one) => one.agentKey === agent);
  }

  running(): ControlAgent[] {
    return this.agents.filter(({ run, isPaused }) => run !== undefined && !isPaused);
  }

  /** Who leads in the latest term, of those that run and believe it of themselves. */
  leader(): ControlAgent | undefined {
    const leaders = this.running().filter(({ control }) => control?.status().role === 'leader');
    return leaders.sort((a, b) => termOf(b) - termOf(a))[0];
  }

  /** Of whoever knows most. */
  get state(): ControlState | undefined {
    const all = this.running().flatMap(({ control }) => control?.state ?? []);
    return all.sort((a, b) => b.lastIndex - a.lastIndex)[0];
  }

  /** Starts it, unless it runs; for a program that does not start a bug is to blame. */
  start(agent: ControlAgent): void {
    if (agent.run !== undefined) return;
    agent.hasStopped = false;
    agent.start().catch((error) => this.fail('failure', String((error as Error).stack ?? error)));
  }

  listen(listener: (seen: ControlSeen) => void): void {
    this.#listeners.push(listener);
  }

  fail(checker: string, text: string): void {
    this.world.note(`VIOLATION ${checker}: ${text}`);
    this.violation ??= { atMs: this.world.nowMs, checker, text };
  }

  #observe(seen: ControlSeen): void {
    const { world } = this;
    if (seen.kind === 'applied') {
      const { index, body, outcome } = seen.command;
      world.note(`${seen.name} applies ${index} ${body.kind} ${outcome.outcome}`);
      if (this.leader()?.name === seen.name) world.meet(`${body.kind} ${outcome.outcome}`);
    }
    if (seen.kind === 'status') {
      const { role, term } = seen.status;
      world.note(`${seen.name} is ${role} in term ${term}`);
      if (role === 'leader') world.meet('a leader');
    }
    for (const checker of this.#checkers) {
      const text = checker.observe(seen);
      if (text !== undefined) this.fail(checker.name, `${seen.name}: ${text}`);
    }
    for (const listener of this.#listeners) listener(seen);
  }
}

function termOf({ control }: ControlAgent): number {
  return control?.status().term ?? 0;
}
