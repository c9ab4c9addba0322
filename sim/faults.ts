import type { SimAgent } from './agent.ts';
import type { Internet } from './internet.ts';
import type { Prng } from './prng.ts';
import type { World } from './world.ts';

const dayMs = 86_400_000;
/** A crashed host comes back at the latest after this. */
const downMsMax = 40_000;

type Fault = (agent: SimAgent, other: SimAgent) => void;

/** Trouble. Each seed knows some kinds of it only, so that rare combinations are met undisturbed by others. */
export class Faults {
  readonly #world: World;
  readonly #internet: Internet;
  readonly #agents: readonly SimAgent[];
  readonly #random: Prng;
  readonly #enabled: readonly Fault[];
  readonly #onFailure: (error: unknown) => void;

  constructor(options: {
    readonly world: World;
    readonly internet: Internet;
    readonly agents: readonly SimAgent[];
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#world = options.world;
    this.#internet = options.internet;
    this.#agents = options.agents;
    this.#onFailure = options.onFailure;
    this.#random = options.world.random.fork();
    this.#enabled = this.#all().filter(() => this.#random.chance(600));
  }

  #all(): Fault[] {
    return [
      (agent) => this.#crash(agent),
      ({ person }, other) => this.#cut(person.peerKey, other.person.peerKey),
      (agent, other) => {
        this.#cut(agent.person.peerKey, other.person.peerKey);
        this.#cut(other.person.peerKey, agent.person.peerKey);
      },
      ({ person }) => {
        for (const other of this.#agents) this.#cut(person.peerKey, other.person.peerKey);
      },
      () => {
        this.#internet.lossPerMille = this.#random.pick([0, 20, 100, 300]);
      },
      () => {
        this.#internet.delayMs = this.#random.pick([
          { min: 1, max: 40 },
          { min: 50, max: 400 },
          { min: 1, max: 3000 },
        ]);
      },
      () => {
        this.#internet.doublePerMille = this.#random.pick([0, 500]);
      },
      (agent) => {
        agent.skewMs = this.#random.between(-dayMs, dayMs);
      },
      ({ disk }) => {
        disk.isFull = !disk.isFull;
      },
      ({ disk }) => {
        disk.syncMs = this.#random.pick([
          { min: 1, max: 20 },
          { min: 500, max: 4000 },
        ]);
      },
    ];
  }

  step(): void {
    const fault = this.#enabled.length === 0 ? undefined : this.#random.pick(this.#enabled);
    fault?.(this.#random.pick(this.#agents), this.#random.pick(this.#agents));
  }

  #crash(agent: SimAgent): void {
    // Not too often: each start checks all signatures of the log again.
    if (agent.run === undefined || this.#random.chance(400)) return;
    agent.crash();
    this.#world.after(this.#random.between(0, downMsMax), () => this.#start(agent));
  }

  #start(agent: SimAgent): void {
    if (agent.isMember && agent.run === undefined) agent.start().catch(this.#onFailure);
  }

  #cut(from: SimAgent['person']['peerKey'], to: SimAgent['person']['peerKey']): void {
    if (from === to) return;
    this.#world.note(`${from.slice(0, 8)} no longer reaches ${to.slice(0, 8)}`);
    this.#internet.cut(from, to);
    this.#world.after(this.#random.between(1000, 60_000), () => this.#internet.mend(from, to));
  }

  /** The end of all trouble, until the next step: everybody runs, and reaches everybody. */
  heal(): void {
    this.#world.note('everything is healed');
    this.#internet.mendAll();
    this.#internet.lossPerMille = 0;
    this.#internet.delayMs = { min: 1, max: 40 };
    for (const agent of this.#agents) {
      agent.disk.isFull = false;
      agent.disk.syncMs = { min: 1, max: 20 };
      this.#start(agent);
    }
  }

  /**
   * A host is set back to an old image of its disk: its own newest statements are gone here, though everybody
   * else has them. Only for a time without trouble: what nobody can tell it, it cannot know.
   */
  rollBack(agent: SimAgent): void {
    agent.crash();
    for (const head of agent.disk.heads()) {
      if (head.writer !== agent.person.agentKey) continue;
      const count = this.#random.between(0, Math.min(3, head.sequence));
      agent.disk.rollBack(head, count);
      if (count > 0) this.#world.meet('disk gone back in time');
      this.#world.note(`${agent.name} loses ${count} of its ${head.stream}`);
    }
    this.#start(agent);
  }
}
