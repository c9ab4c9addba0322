import type { AgentKey } from '../../src/core/ids.ts';
import type { ControlState } from '../../src/core/protocol/control/control-state.ts';
import { Internet } from '../internet.ts';
import type { Prng } from '../prng.ts';
import { World } from '../world.ts';
import { ControlAgent } from './agent.ts';
import { type Cast, castOf, type Person } from './cast.ts';
import { checkersOf } from './checkers/all.ts';
import { NoticeKept } from './checkers/notice-kept.ts';
import type { Begun } from './disk.ts';
import type { ControlChecker, ControlSeen } from './observation.ts';
import type { Parts } from './parts.ts';
import { type ControlPlan, isOverBudget } from './plan.ts';
import { Truth } from './truth.ts';
import type { Upgrade } from './upgrade.ts';

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
  readonly cast: Cast;
  readonly agents: readonly ControlAgent[];
  readonly random: Prng;
  /** What operators and holders have really done to live copies. */
  readonly truth = new Truth();
  readonly notice: NoticeKept;
  /** Set where hosts run two versions. */
  upgrade: Upgrade | undefined;
  readonly #parts: Parts;
  readonly #checkers: readonly ControlChecker[];
  readonly #listeners: ((seen: ControlSeen) => void)[] = [];
  /** The one checker that is listened to, when its own eyes are tried. */
  by: string | undefined;
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
    this.#parts = parts;
    this.cast = castOf(plan);
    this.world = new World(seed ^ 0x2f0b4c47);
    this.world.onEndless = (what) => this.fail('endless', what);
    this.random = this.world.random.fork();
    this.internet = new Internet(this.world);
    this.notice = new NoticeKept(() => this.world.nowMs);
    this.agents = this.cast.people.map((person, i) => this.#agent(person, begun[i] as Begun));
    this.#checkers = checkersOf(this);
  }

  /** Another host with the identity and the disk of one; others reach whichever has come up last. */
  clone(of: ControlAgent): ControlAgent {
    const { stored } = of.disk.copy();
    const clone = this.#agent(of.person, { stored, statements: of.disk.statements }, true);
    clone.disk.restore(of.disk.copy());
    return clone;
  }

  #agent(person: Person, begun: Begun, isClone = false): ControlAgent {
    const { world, internet, cast, plan } = this;
    return new ControlAgent({
      ...{ world, internet, person, cast, begun, isClone, parts: this.#parts },
      hasCheckpoints: plan.hasCheckpoints,
      hasLeases: plan.hasLeases,
      observe: (seen) => this.#observe(seen),
      onFailure: (error) => this.#onFailure(error),
    });
  }

  /** A host that finds that what it knows cannot be must stop: a bug, unless its memory was tampered with. */
  #onFailure(error: unknown): void {
    if (isOverBudget(this.plan.faults)) this.world.meet('a host that stops at a contradiction');
    else this.fail('failure', String((error as Error).stack ?? error));
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
    return leaders.sort((a, b) => ageOf(b) - ageOf(a))[0];
  }

  /** Of whoever knows most. */
  get state(): ControlState | undefined {
    const all = this.running().flatMap(({ control }) => control?.state ?? []);
    return all.sort((a, b) => b.generation - a.generation || b.lastIndex - a.lastIndex)[0];
  }

  /** Starts it, unless it runs; for a program that does not start a bug is to blame. */
  start(agent: ControlAgent): void {
    if (agent.run !== undefined || agent.isLost) return;
    agent.hasStopped = false;
    agent.start().catch((error) => this.#onFailure(error));
  }

  listen(listener: (seen: ControlSeen) => void): void {
    this.#listeners.push(listener);
  }

  fail(checker: string, text: string): void {
    if (this.by !== undefined && this.by !== checker) return;
    this.world.note(`VIOLATION ${checker}: ${text}`);
    this.violation ??= { atMs: this.world.nowMs, checker, text };
  }

  /** Lets the checkers look at all that run once more. */
  rest(): void {
    for (const { agentKey: agent, name, control } of this.agents) {
      if (control !== undefined) this.#observe({ kind: 'rest', agent, name, control });
    }
  }

  #observe(seen: ControlSeen): void {
    const { world } = this;
    if (seen.kind === 'applied') {
      const { index, body, outcome } = seen.command;
      world.note(`${seen.name} applies ${index} ${body.kind} ${outcome.outcome}`);
      const mayLead = seen.control.status().role === 'leader';
      if (mayLead && this.leader()?.name === seen.name) {
        world.meet(`${body.kind} ${outcome.outcome}`);
      }
    }
    if (seen.kind === 'status') {
      const { role, term, generation } = seen.status;
      world.note(`${seen.name} is ${role} in term ${term} of generation ${generation}`);
      if (role === 'leader') world.meet('a leader');
    }
    for (const checker of this.#checkers) {
      const text = checker.observe(seen);
      if (text !== undefined) this.fail(checker.name, `${seen.name}: ${text}`);
    }
    for (const listener of this.#listeners) listener(seen);
  }
}

/** A generation counts more than any term. */
function ageOf({ control }: ControlAgent): number {
  const { generation = 0, term = 0 } = control?.status() ?? {};
  return generation * 1e9 + term;
}
