import { Raft } from '../../src/core/protocol/raft/raft.ts';
import { RaftCluster, usualPeriod } from './cluster.ts';
import { RaftFaults } from './faults.ts';
import type { MakeRaft } from './member.ts';
import { numberOf } from './names.ts';
import type { Violation } from './observation.ts';
import { planOf, type RaftFault } from './plan.ts';
import { Steward } from './steward.ts';
import { Trials } from './trials.ts';
import { RaftWorkload } from './workload.ts';

export type RaftRunOptions = {
  /** What is run in the place of the shipped `Raft`: a mutant. */
  readonly make?: MakeRaft | undefined;
  /** The trouble, in the place of what the seed draws. */
  readonly faults?: readonly RaftFault[] | undefined;
  /** Takes the trace, line by line. */
  readonly print?: ((line: string) => void) | undefined;
};

export type RaftRun = {
  readonly violations: readonly Violation[];
  /** Of everything that happened. */
  readonly traceHash: string;
  /** Inputs given to members. */
  readonly steps: number;
  /** Moments. */
  readonly duration: number;
  readonly committed: number;
  readonly faults: readonly RaftFault[];
  /** How often things came about. */
  readonly met: ReadonlyMap<string, number>;
};

/** Agreement must come within this after the end of all trouble: dozens of elections, and a replaced member. */
const healMomentsMax = 6000;
/** A few election timeouts of the slowest clock. */
const quietMoments = 2 * 16 * usualPeriod.max;

/** One seed: trouble, in which nothing wrong may happen; then none, in which everything must get right. */
export function runRaftSeed(seed: number, options: RaftRunOptions = {}): RaftRun {
  const drawn = planOf(seed);
  const plan = { ...drawn, faults: options.faults ?? drawn.faults };
  const make: MakeRaft =
    options.make ?? ((stored, settings, rest) => new Raft(stored, settings, rest));
  const cluster = new RaftCluster({ seed, plan, make, print: options.print });
  try {
    new Run(cluster).all();
  } catch (error) {
    // By its name: a mutant brings a class of its own.
    if (!(error instanceof Error) || error.name !== 'AssertionError') throw error;
    cluster.fail('assertion', error.stack ?? error.message);
  }
  const { violation, trace, steps, now, committed, met } = cluster;
  return {
    violations: violation === undefined ? [] : [violation],
    traceHash: trace.digest,
    steps,
    duration: now,
    committed: committed.lastIndex,
    faults: plan.faults,
    met,
  };
}

class Run {
  readonly #cluster: RaftCluster;
  readonly #steward: Steward;
  readonly #faults: RaftFaults;
  readonly #workload: RaftWorkload;

  constructor(cluster: RaftCluster) {
    this.#cluster = cluster;
    this.#steward = new Steward(cluster);
    this.#workload = new RaftWorkload(cluster);
    this.#faults = new RaftFaults(cluster, this.#steward, this.#workload);
  }

  all(): void {
    const { plan } = this.#cluster;
    while (this.#cluster.now < plan.duration && this.#isClean) {
      this.#workload.step();
      if (this.#cluster.random.chance(20)) this.#steward.mend();
      this.#moment();
      this.#faults.poll();
    }
    this.#faults.heal();
    this.#cluster.remark([0], () => 'all trouble is over');
    for (const member of this.#cluster.members) {
      member.tickPeriod = this.#cluster.random.between(usualPeriod.min, usualPeriod.max);
    }
    this.#converge();
    this.#rest();
    if (this.#isClean) new Trials(this.#cluster, () => this.#moment()).one();
  }

  get #isClean(): boolean {
    return this.#cluster.violation === undefined;
  }

  #moment(): void {
    this.#cluster.advance();
    this.#workload.compact();
  }

  /** New commands are committed, everybody comes to hold everything, and the lost are replaced. */
  #converge(): void {
    const end = this.#cluster.now + healMomentsMax;
    const committedBefore = this.#cluster.committed.lastIndex;
    while (this.#cluster.now < end && this.#isClean) {
      const isMended = this.#steward.mend();
      const hasNews = this.#cluster.committed.lastIndex > committedBefore;
      const isSettled = hasNews && this.#isWhole();
      if (isSettled && isMended && this.#isEqual()) return;
      const leader = this.#cluster.leader();
      if (!isSettled && leader !== undefined && this.#cluster.now % 10 === 0) {
        this.#workload.propose(leader);
        this.#workload.read(leader);
      }
      this.#moment();
    }
    if (this.#isClean) this.#cluster.fail('liveness', 'no agreement after the end of all trouble');
  }

  /** Nobody waits for entries that its journal has lost. */
  #isWhole(): boolean {
    return this.#current().every(({ disk }) => disk.lostUpTo === undefined);
  }

  /** All members of the newest configuration have applied the leader's whole log. */
  #isEqual(): boolean {
    const end = this.#cluster.leader()?.status?.lastIndex;
    return end !== undefined && this.#current().every(({ applied }) => applied === end);
  }

  #current() {
    const config = this.#cluster.leader()?.status?.config;
    const keys = [...(config?.voters ?? []), ...(config?.learners ?? [])];
    return keys.flatMap((key) => this.#cluster.members[numberOf(key)] ?? []);
  }

  /** Whoever was removed does not disturb the others: nobody is elected without need. */
  #rest(): void {
    // A transfer may still be under way.
    for (let i = 0; i < quietMoments && this.#isClean; i++) this.#moment();
    const leader = this.#cluster.leader();
    const term = leader?.status?.term;
    const sentBefore = this.#cluster.network.sentCount;
    for (let i = 0; i < quietMoments && this.#isClean; i++) this.#moment();
    if (!this.#isClean) return;
    if (leader?.status?.term !== term) {
      this.#cluster.fail('quiet', `an election in peace: the term was ${term}`);
    }
    const sent = this.#cluster.network.sentCount - sentBefore;
    const sentMax = this.#cluster.members.length * quietMoments;
    if (sent > sentMax) this.#cluster.fail('quiet', `${sent} messages about nothing`);
  }
}
