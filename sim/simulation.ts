import { type Mutant, SimAgent } from './agent.ts';
import { founding, foundingWithLiar, honest, newcomers } from './cast.ts';
import { authorityViolation } from './checkers/authority.ts';
import { chainViolation } from './checkers/chain.ts';
import { disagreement } from './checkers/convergence.ts';
import { Faults } from './faults.ts';
import { Internet } from './internet.ts';
import { Liar } from './liar.ts';
import { Workload } from './workload.ts';
import { World } from './world.ts';

export type SimulationOptions = {
  readonly seed: number;
  readonly steps: number;
  /** Whether a lying member takes part; else the seed decides. */
  readonly hasLiar?: boolean;
  /** Whether a host's disk goes back in time once; else the seed decides. */
  readonly hasRollBack?: boolean;
  /** A deliberate bug in every agent. */
  readonly mutant?: Mutant | undefined;
};

export type Outcome = {
  readonly seed: number;
  /** Of everything that happened. */
  readonly digest: string;
  readonly violation: string | undefined;
  readonly tail: readonly string[];
  /** Lines of the trace. */
  readonly events: number;
  readonly virtualMs: number;
  /** Manifests and receipts that members have said. */
  readonly said: number;
  readonly members: number;
  readonly met: ReadonlyMap<string, number>;
};

const stepMsMax = 1500;
/** Steps between two looks at all disks. */
const lookEvery = 20;
/** Agreement must come within this after the end of all trouble: several periods, and timeouts under way. */
const healMsMax = 180_000;
const healStepMs = 5000;

/** One seed: members at work in trouble, never to say or believe what is not so; then healed, to agree. */
export class Simulation {
  readonly world: World;
  readonly internet: Internet;
  readonly agents: readonly SimAgent[];
  readonly #liar: Liar | undefined;
  readonly #workload: Workload;
  readonly #faults: Faults;
  readonly #hasRollBack: boolean;
  readonly #options: SimulationOptions;
  #failure: string | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.world = new World(options.seed);
    this.internet = new Internet(this.world);
    const { world, internet } = this;
    const onFailure = (error: unknown): void => this.#fail(error);
    const { mutant } = options;
    this.agents = [...honest, newcomers[0] as (typeof newcomers)[0]].map(
      (person, i) =>
        new SimAgent({
          world,
          internet,
          person,
          mutant,
          onFailure,
          address: `/ip4/10.0.${i}.1/tcp/7420`,
        }),
    );
    const drawn = { hasLiar: world.random.chance(500), hasRollBack: world.random.chance(300) };
    const hasLiar = options.hasLiar ?? drawn.hasLiar;
    this.#hasRollBack = options.hasRollBack ?? drawn.hasRollBack;
    this.#liar = hasLiar ? new Liar(world, internet, this.agents) : undefined;
    this.#workload = new Workload(world, this.agents, onFailure);
    this.#faults = new Faults({ world, internet, agents: this.agents, onFailure });
  }

  #fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#failure ??= `a bug showed itself: ${text}`;
  }

  async run(): Promise<Outcome> {
    // A rejection that nobody handles stops a real agent. While this runs, all of them are this one's.
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', (error) => this.#fail(error));
    try {
      await this.#begin();
      const violation = (await this.#underFaults()) ?? (await this.#healed());
      return this.#outcome(violation);
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const other of others) process.on('unhandledRejection', other);
    }
  }

  async #begin(): Promise<void> {
    const statements = this.#liar === undefined ? founding : foundingWithLiar;
    for (const agent of this.agents.slice(0, honest.length)) {
      for (const one of statements) agent.disk.add({ writer: one.writer, stream: one.stream }, one);
      await agent.start();
    }
  }

  async #underFaults(): Promise<string | undefined> {
    const { random } = this.world;
    for (let step = 1; step <= this.#options.steps; step++) {
      if (random.chance(200)) this.#workload.step();
      if (random.chance(200)) this.#faults.step();
      if (random.chance(150)) this.#liar?.step();
      await this.world.advance(random.below(stepMsMax));
      if (this.#failure !== undefined) return this.#failure;
      const isMiddle = step === this.#options.steps >> 1;
      if (isMiddle && this.#hasRollBack) {
        const violation = (await this.#healed()) ?? (await this.#turnedBack());
        if (violation !== undefined) return violation;
      }
      const violation = step % lookEvery === 0 ? this.#unsafe() : undefined;
      if (violation !== undefined) return violation;
    }
    return this.#unsafe();
  }

  /** A disk goes back in time, and its host goes on at once. */
  async #turnedBack(): Promise<string | undefined> {
    const agent = this.world.random.pick(this.agents.filter(({ isMember }) => isMember));
    this.#faults.rollBack(agent);
    for (let i = 0; i < 10; i++) {
      await this.world.advance(i === 0 ? 1 : 2000);
      this.#workload.step(agent);
    }
    return this.#healed();
  }

  async #healed(): Promise<string | undefined> {
    this.#faults.heal();
    this.#liar?.calmDown();
    const endMs = this.world.nowMs + healMsMax;
    let difference: string | undefined = 'nobody has been asked';
    while (difference !== undefined && this.world.nowMs < endMs) {
      await this.world.advance(healStepMs);
      difference = this.#failure ?? disagreement(this.agents);
    }
    const unsafe = this.#failure ?? this.#unsafe();
    if (unsafe !== undefined || difference === undefined) return unsafe;
    return `no agreement after ${healMsMax} ms: ${difference}`;
  }

  #unsafe(): string | undefined {
    const lies = this.#liar?.lies ?? new Set<string>();
    return chainViolation(this.agents) ?? authorityViolation(this.agents, lies);
  }

  #outcome(violation: string | undefined): Outcome {
    const { world } = this;
    for (const { run } of this.agents) {
      if ((run?.ledger.forks().length ?? 0) > 0) world.meet('host that has found a fork');
    }
    if (violation !== undefined) world.note(`VIOLATION ${violation.split('\n')[0]}`);
    return {
      seed: world.seed,
      digest: world.trace.digest,
      violation,
      tail: world.trace.tail(),
      events: world.trace.count,
      virtualMs: world.nowMs,
      said: this.#workload.said,
      members: this.agents.filter(({ isMember }) => isMember).length,
      met: world.met,
    };
  }
}
