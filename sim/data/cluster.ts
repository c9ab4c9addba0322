import type { AgentKey, StatementHash } from '../../src/core/ids.ts';
import type { ManifestRecord, StatementEvent } from '../../src/services/ledger.ts';
import type { Prng } from '../prng.ts';
import { World } from '../world.ts';
import { DataAgent, type Run } from './agent.ts';
import { type Founding, foundingOf, newcomer, type Person, people } from './cast.ts';
import { checkersOf } from './checkers/all.ts';
import { DataInternet, type Weather } from './network.ts';
import type { DataChecker, DataSeen, Snapshot } from './observation.ts';
import type { DataParts } from './parts.ts';
import type { DataPlan } from './plan.ts';

export type DataViolation = {
  readonly atMs: number;
  readonly checker: string;
  readonly text: string;
};

const plentyBytes = 2 ** 30;
const smallBytes = 1_500_000;

/** All hosts, the internet between them, what has been backed up, and the checkers that watch. */
export class DataCluster {
  readonly world: World;
  readonly internet: DataInternet;
  readonly weather: Weather = { resetPerMille: 0 };
  readonly plan: DataPlan;
  readonly parts: DataParts;
  readonly founding: Founding;
  /** The newcomer is the last. */
  readonly agents: readonly DataAgent[];
  /** Copies of hosts that run beside them under the same name. */
  readonly clones: DataAgent[] = [];
  readonly snapshots = new Map<StatementHash, Snapshot>();
  readonly random: Prng;
  readonly #checkers: readonly DataChecker[];
  readonly #listeners: ((seen: DataSeen) => void)[] = [];
  readonly #suspects = new Set<AgentKey>();
  /** The first thing that was wrong. */
  violation: DataViolation | undefined;

  constructor(options: { seed: number; plan: DataPlan; parts: DataParts }) {
    const { seed, plan, parts } = options;
    this.plan = plan;
    this.parts = parts;
    this.world = new World(seed ^ 0x1da7a51e);
    this.random = this.world.random.fork();
    this.internet = new DataInternet(this.world);
    this.founding = foundingOf(plan.siteCount, plan.surviveSites);
    const members = people.slice(0, plan.siteCount);
    const all = plan.hasNewcomer ? [...members, newcomer] : members;
    this.agents = all.map((person) => this.host(person));
    for (const agent of this.agents) {
      if (!agent.isMember) continue;
      for (const one of this.founding.statements) {
        agent.disk.device.add({ writer: one.writer, stream: one.stream }, one);
      }
    }
    const [liar] = plan.victims;
    if (plan.lie !== undefined && liar !== undefined) this.at(liar).lie = plan.lie;
    this.#checkers = checkersOf();
  }

  /** A machine for somebody: its disk is empty. */
  host(person: Person): DataAgent {
    const { world, internet, weather, founding, parts, plan } = this;
    const isSmall = plan.hasSmallDisks && !person.descriptor.roles.includes('source');
    return new DataAgent({
      ...{ world, internet, weather, founding, parts, person },
      capacity: isSmall ? smallBytes : plentyBytes,
      tickNs: BigInt(plan.tickMs) * 1_000_000n,
      version: this.random.chance(300) ? '0.9.0' : '1.0.0',
      onStarted: (agent, run) => this.#started(agent, run),
      onFailure: (error) => this.fail('failure', String((error as Error).stack ?? error)),
    });
  }

  get isClean(): boolean {
    return this.violation === undefined;
  }

  at(number: number): DataAgent {
    return this.agents[number % this.agents.length] as DataAgent;
  }

  of(agent: AgentKey): DataAgent | undefined {
    return this.agents.find((one) => one.agentKey === agent);
  }

  /** Its word or its disk cannot be relied on: it lies, or it exists twice. */
  suspect(agent: DataAgent): void {
    this.#suspects.add(agent.agentKey);
  }

  isHonest(agent: DataAgent): boolean {
    return agent.lie === undefined && !this.#suspects.has(agent.agentKey);
  }

  /** Members that do what the program says, whether they run now or not. */
  honest(): DataAgent[] {
    return this.agents.filter((one) => one.isMember && !one.isGone && this.isHonest(one));
  }

  /** Of which it has signed two histories, since its disk went back in time: nobody builds on them any more. */
  forkedStreams({ agentKey }: DataAgent): string[] {
    const forks = this.running().flatMap(({ agent }) => agent?.ledger.forks() ?? []);
    return forks.filter(({ writer }) => writer === agentKey).map(({ stream }) => stream);
  }

  /** Of those, the ones whose program runs. */
  running(): DataAgent[] {
    return this.honest().filter(({ agent }) => agent !== undefined);
  }

  listen(listener: (seen: DataSeen) => void): void {
    this.#listeners.push(listener);
  }

  #started(agent: DataAgent, run: Run): void {
    if (run.agent === undefined) return;
    run.agent.ledger.onStatement((event) => {
      if (run.life.isAlive) this.#heard(agent, event);
    });
    this.see({ kind: 'started', agent });
  }

  #heard(agent: DataAgent, event: StatementEvent): void {
    const { writer, stream, sequence } = event.statement;
    this.world.note(`${agent.name} has ${writer.slice(0, 8)}/${stream.slice(0, 16)} ${sequence}`);
    this.see({ kind: 'statement', agent, event });
  }

  see(seen: DataSeen): void {
    for (const listener of this.#listeners) listener(seen);
    for (const checker of this.#checkers) {
      const text = checker.observe?.(seen, this);
      if (text !== undefined) this.fail(checker.name, text);
    }
  }

  /** All checkers look at everything. */
  async look(): Promise<void> {
    for (const checker of this.#checkers) {
      const text = await checker.look?.(this);
      if (text !== undefined) this.fail(checker.name, text);
    }
  }

  /** What is still missing after the end of all trouble; undefined when nothing is. */
  async missing(): Promise<{ checker: string; text: string } | undefined> {
    for (const checker of this.#checkers) {
      const text = await checker.settled?.(this);
      if (text !== undefined) return { checker: checker.name, text };
    }
    return undefined;
  }

  recordOf(hash: StatementHash): ManifestRecord | undefined {
    return this.snapshots.get(hash)?.record;
  }

  fail(checker: string, text: string): void {
    this.world.note(`VIOLATION ${checker}: ${text.split('\n')[0]}`);
    this.violation ??= { atMs: this.world.nowMs, checker, text };
  }
}
