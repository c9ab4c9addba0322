import type { IncarnationReport } from '../../src/agent/dataset-types.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';

const pollMs = 1_000;
const leaderPollMs = 500;
/** A paused agent never answers, and an agent without a quorum takes two seconds to say so. */
const answerTimeoutMs = 5_000;

/** When an agent has last said that it may write a dataset, by this process's clock. */
type Claim = { askedMs: number; heardMs: number };

/** A moment at which two agents both held a dataset for theirs. */
export type Overlap = { readonly dataset: string; readonly agents: readonly [string, string] };

/**
 * Asks all agents all the time how things stand, and keeps what no order of messages may ever show: two agents
 * that may write a dataset at the same time, two decisions about one thing, two leaders of one term.
 */
export class Watch implements AsyncDisposable {
  readonly #fleet: Fleet;
  readonly #facts = new Map<string, string>();
  /** By dataset, then by agent. */
  readonly #claims = new Map<string, Map<string, Claim>>();
  readonly #overlaps = new Map<string, Overlap>();
  readonly #contradictions = new Set<string>();
  readonly #loops: Promise<void>[] = [];
  readonly #certifiedMs = new Map<string, number>();
  #isOver = false;
  polls = 0;
  /** Of whoever was last heard to lead. */
  term = 0;
  leader: string | undefined;

  constructor(fleet: Fleet, names: readonly string[]) {
    this.#fleet = fleet;
    for (const name of names) this.#loops.push(this.#follow(name));
    this.#loops.push(this.#followLeader(names));
  }

  get overlaps(): Overlap[] {
    return [...this.#overlaps.values()];
  }

  /** When somebody was first heard to know of a promotion of the dataset; undefined: nobody was. */
  certifiedMs(dataset: string): number | undefined {
    return this.#certifiedMs.get(dataset);
  }

  /** Since this was last asked. */
  takeContradictions(): string[] {
    const found = [...this.#contradictions];
    this.#contradictions.clear();
    return found;
  }

  async #follow(name: string): Promise<void> {
    while (!this.#isOver) {
      await this.#try(name, () => this.#lookAtDatasets(name));
      await pause(pollMs);
    }
  }

  /** One after the other: whoever is asked asks a quorum. */
  async #followLeader(names: readonly string[]): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const name = names[i % names.length] ?? '';
      const look = this.#try(name, () => this.#lookAtLeader(name));
      await Promise.race([look, pause(leaderPollMs * 2)]);
      await pause(leaderPollMs);
    }
  }

  /** An agent that is killed or paused amid its answer has said nothing. */
  async #try(name: string, look: () => Promise<void>): Promise<void> {
    if (!this.#fleet.awake.some((host) => host.name === name)) return;
    await look().catch(() => undefined);
    this.polls += 1;
  }

  async #lookAtDatasets(agent: string): Promise<void> {
    const askedMs = performance.now();
    const datasets = await answered(this.#fleet.api(agent).datasets());
    const heardMs = performance.now();
    for (const dataset of datasets) {
      this.#checkDecisions(dataset);
      // Before a plan names a dataset, its source alone can write it, whatever others may.
      const isClaimed = dataset.here.mayWrite && dataset.state !== 'open';
      this.#noteClaim(dataset.name, agent, isClaimed ? { askedMs, heardMs } : undefined);
    }
  }

  #checkDecisions({ name, certificate, holders }: IncarnationReport): void {
    if (certificate !== undefined) {
      const { generation, incarnation, target, plan, run, step } = certificate;
      const slot = `slot of ${name}, generation ${generation}, incarnation ${incarnation}`;
      this.#learn(slot, `${target} by ${plan} ${run} ${step}`);
      if (!this.#certifiedMs.has(name)) this.#certifiedMs.set(name, Date.now());
    }
    for (const { agent, generation, index } of holders) {
      this.#learn(`holder of ${name} by entry ${generation}.${index}`, agent);
    }
  }

  /** Whatever was decided is the same for everybody, for ever. */
  #learn(what: string, value: string): void {
    const known = this.#facts.get(what);
    if (known === undefined) this.#facts.set(what, value);
    else if (known !== value) this.#contradictions.add(`${what}: ${known}, and ${value}`);
  }

  /** Answers come at different moments: only a claim between two claims of another overlaps for certain. */
  #noteClaim(dataset: string, agent: string, claim: Claim | undefined): void {
    const claims = this.#claims.get(dataset) ?? new Map<string, Claim>();
    this.#claims.set(dataset, claims);
    const before = claims.get(agent);
    if (claim === undefined) {
      claims.delete(agent);
      return;
    }
    claims.set(agent, claim);
    if (before === undefined) return;
    for (const [other, { askedMs, heardMs }] of claims) {
      if (other === agent || askedMs < before.heardMs || heardMs > claim.askedMs) continue;
      const agents: [string, string] = agent < other ? [agent, other] : [other, agent];
      this.#overlaps.set(`${dataset} ${agents.join(' ')}`, { dataset, agents });
    }
  }

  /** A process that begins anew has claimed nothing. */
  forget(agent: string): void {
    for (const claims of this.#claims.values()) claims.delete(agent);
  }

  async #lookAtLeader(agent: string): Promise<void> {
    const { role, generation, term, leader } = await answered(this.#fleet.api(agent).coordinator());
    if (role === 'leader') this.#learn(`leader of generation ${generation}, term ${term}`, agent);
    if (leader === undefined || term < this.term) return;
    this.term = term;
    this.leader = leader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }
}

/** The answer, unless it takes too long. */
export async function answered<T>(answer: Promise<T>, timeoutMs = answerTimeoutMs): Promise<T> {
  answer.catch(() => undefined);
  const late = pause(timeoutMs).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  late.catch(() => undefined);
  return Promise.race([answer, late]);
}
