import type { RaftConfig, RaftMessage, RaftSettings } from '../../src/core/protocol/raft/types.ts';
import { Prng } from '../prng.ts';
import { Agenda } from './agenda.ts';
import { CommitOrder } from './checkers/commit-order.ts';
import { Committed } from './checkers/committed.ts';
import { Durability } from './checkers/durability.ts';
import { ElectionSafety } from './checkers/election-safety.ts';
import { LeaderCompleteness } from './checkers/leader-completeness.ts';
import { LinearizableReads } from './checkers/linearizable-reads.ts';
import { LogMatching } from './checkers/log-matching.ts';
import { SingleChanges } from './checkers/single-changes.ts';
import { StateMachineSafety } from './checkers/state-machine-safety.ts';
import { RaftDisk } from './disk.ts';
import { type MakeRaft, SimMember } from './member.ts';
import { keyOf, nameOf, numberOf } from './names.ts';
import { RaftNetwork } from './network.ts';
import type { Checker, Observation, Violation } from './observation.ts';
import { noteworthy, textOf } from './observation-text.ts';
import type { RaftPlan } from './plan.ts';
import { RaftTrace } from './trace.ts';

const electionTicks = { electionTicksMin: 8, electionTicksMax: 16, heartbeatTicks: 2 };

/** A run takes a few thousand: more is a flood of messages that would not end. */
const stepsMax = 200_000;

/** The slowest usual clock of a member, and the fastest, in moments a tick. */
export const usualPeriod = { min: 3, max: 5 };

/** All members, the network between them, and the checkers that watch them. */
export class RaftCluster {
  readonly plan: RaftPlan;
  readonly agenda = new Agenda();
  readonly trace: RaftTrace;
  readonly network: RaftNetwork;
  readonly random: Prng;
  readonly committed = new Committed();
  readonly members: SimMember[] = [];
  readonly #checkers: readonly Checker[];
  readonly #founding: RaftConfig;
  readonly #make: MakeRaft;
  readonly #seed: number;
  /** How often things came about that a swarm must not miss. */
  readonly met = new Map<string, number>();
  /** The first thing that was wrong: what follows from it is of no interest. */
  violation: Violation | undefined;
  steps = 0;

  constructor(options: {
    readonly seed: number;
    readonly plan: RaftPlan;
    readonly make: MakeRaft;
    readonly print?: ((line: string) => void) | undefined;
  }) {
    const { seed, plan } = options;
    this.plan = plan;
    this.#seed = seed;
    this.#make = options.make;
    this.trace = new RaftTrace(options.print);
    // The plan is drawn from the seed itself: faults can be left out of it without other draws.
    this.random = new Prng(seed ^ 0x5bd1e995);
    this.network = new RaftNetwork(this.agenda, this.random.fork(), (one) => this.#deliver(one));
    this.#checkers = [
      new ElectionSafety(),
      new LogMatching(),
      new LeaderCompleteness(this.committed),
      new StateMachineSafety(this.committed),
      new CommitOrder(),
      new Durability(),
      new LinearizableReads(this.committed),
      new SingleChanges(),
    ];
    const voters = Array.from({ length: plan.voters }, (_, number) => keyOf(number));
    this.#founding = { voters, learners: [] };
    for (const _ of voters) this.add();
  }

  get now(): number {
    return this.agenda.now;
  }

  /** A new member with an empty disk, which runs and is in no configuration yet unless it is a founder. */
  add(): SimMember {
    const { plan } = this;
    const { messageBytesMax, entriesInFlightMax } = plan;
    const self = keyOf(this.members.length);
    const settings: RaftSettings = {
      self,
      ...electionTicks,
      messageBytesMax,
      entriesInFlightMax,
      seed: this.#seed,
    };
    const member = new SimMember({
      settings,
      disk: new RaftDisk(this.#founding, plan),
      tickPeriod: this.random.between(usualPeriod.min, usualPeriod.max),
      make: this.#make,
      send: (message) => this.network.send(message),
      observe: (seen) => this.#observe(seen),
    });
    this.members.push(member);
    member.start();
    return member;
  }

  /** Who leads in the latest term, of those that run and believe it of themselves. */
  leader(): SimMember | undefined {
    let best: SimMember | undefined;
    for (const member of this.members) {
      const status = member.status;
      if (status?.role !== 'leader') continue;
      if (status.term > (best?.status?.term ?? 0)) best = member;
    }
    return best;
  }

  /** One moment: what arrives, then the clocks. */
  advance(): void {
    this.agenda.advance();
    for (const member of this.members) {
      if ((this.now + member.number) % member.tickPeriod !== 0) continue;
      this.steps++;
      member.step({ kind: 'tick' });
    }
  }

  fail(checker: string, text: string): void {
    this.violation ??= { at: this.now, checker, text };
  }

  meet(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  /** A remark in the trace: `numbers` as there. */
  remark(numbers: readonly number[], text: () => string): void {
    this.trace.note(this.now, numbers, text);
  }

  #deliver(message: RaftMessage): void {
    const member = this.members[numberOf(message.to)];
    if (member === undefined || this.violation !== undefined) return;
    if (++this.steps > stepsMax) this.fail('flood', `over ${stepsMax} steps`);
    member.step({ kind: 'message', message });
  }

  #observe(seen: Observation): void {
    this.#note(seen);
    this.committed.observe(seen);
    for (const checker of this.#checkers) {
      const text = checker.observe(seen);
      if (text !== undefined) this.fail(checker.name, `${nameOf(seen.member)}: ${text}`);
    }
  }

  #note(seen: Observation): void {
    if (seen.kind === 'stepped') return;
    for (const what of noteworthy(seen)) this.meet(what);
    const { lastIndex, hard } = seen.disk;
    this.trace.note(
      this.now,
      [numberOf(seen.member), seen.kind.length, hard.term, lastIndex, this.committed.lastIndex],
      () => `${nameOf(seen.member)} ${textOf(seen)}`,
    );
  }
}
