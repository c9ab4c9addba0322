import type { SimMember } from './member.ts';
import { Scheme } from './scheme.ts';

/** A new leader is asked to read before it knows what the one before it has committed. */
export class OldTerm extends Scheme {
  #leader: SimMember | undefined;
  #others: SimMember[] = [];
  #index = 0;
  #term = 0;

  poll(): boolean {
    if (this.#leader === undefined) {
      this.#begin();
      return false;
    }
    const commit = this.#leader.status?.commit ?? 0;
    if (this.#index > 0 && commit >= this.#index) {
      // Its word that this is committed has not left yet.
      this.separate([this.#leader]);
      this.#index = 0;
    }
    if (this.#index > 0) return this.#leader.status?.role !== 'leader';
    const next = this.successor(this.#others, this.#term);
    if (next === undefined) {
      for (const other of this.#others) this.hurry(other);
      return false;
    }
    this.workload.read(next);
    return (next.status?.commit ?? 0) > commit;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    this.#index = this.workload.propose(found.leader) ?? 0;
    if (this.#index === 0) return;
    this.#leader = found.leader;
    this.#others = found.others;
    this.#term = found.leader.status?.term ?? 0;
  }
}

/** A leader with a slow clock and too few voters is asked to read what its successor has changed. */
export class StaleRead extends Scheme {
  #leader: SimMember | undefined;
  #others: SimMember[] = [];
  #tickPeriod = 0;
  #reads = 0;

  poll(): boolean {
    if (this.#leader === undefined) {
      this.#begin();
      return false;
    }
    const { status } = this.#leader;
    const next = this.successor(this.#others, this.#leader.disk.hard.term);
    if (next === undefined) for (const other of this.#others) this.hurry(other);
    else if ((next.status?.commit ?? 0) > (status?.commit ?? 0)) {
      this.workload.read(this.#leader);
      this.#reads++;
    }
    return status?.role !== 'leader' || this.#reads > 5;
  }

  override release(): void {
    super.release();
    if (this.#leader !== undefined) this.#leader.tickPeriod = this.#tickPeriod;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    const { leader, others } = found;
    const company = others.slice(0, Math.ceil(others.length / 2) - 1);
    this.separate([leader, ...company]);
    this.#others = others.filter((one) => !company.includes(one));
    this.#tickPeriod = leader.tickPeriod;
    leader.tickPeriod = 20;
    this.#leader = leader;
  }
}

/** The answers to a leader's last heartbeat come late: when it has been replaced, and after it was asked to read. */
export class LateAnswers extends Scheme {
  #leader: SimMember | undefined;
  #others: SimMember[] = [];
  #clogs: (() => void)[] = [];
  #tickPeriod = 0;
  #moments = 0;

  poll(): boolean {
    if (this.#leader === undefined) {
      this.#begin();
      return false;
    }
    // Its heartbeat has arrived, and nothing that it says later does.
    if (++this.#moments === 2 * this.#tickPeriod + 4) {
      for (const other of this.#others) this.mute(this.#leader, other);
    }
    if (this.#moments < 2 * this.#tickPeriod + 4) return false;
    this.#leader.tickPeriod = 20;
    const next = this.successor(this.#others, this.#leader.disk.hard.term);
    const { status } = this.#leader;
    if (next === undefined) for (const other of this.#others) this.hurry(other);
    else if ((next.status?.commit ?? 0) > (status?.commit ?? 0)) {
      this.workload.read(this.#leader);
      this.#unclog();
      return true;
    }
    return status?.role !== 'leader';
  }

  override release(): void {
    this.#unclog();
    super.release();
    if (this.#leader !== undefined) this.#leader.tickPeriod = this.#tickPeriod;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    const { leader, others } = found;
    this.#clogs = others.map((one) => this.cluster.network.clog(one.number, leader.number));
    this.#others = others;
    this.#tickPeriod = leader.tickPeriod;
    this.#leader = leader;
  }

  #unclog(): void {
    for (const unclog of this.#clogs) unclog();
    this.#clogs = [];
  }
}
