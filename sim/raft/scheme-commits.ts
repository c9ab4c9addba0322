import type { SimMember } from './member.ts';
import { Scheme } from './scheme.ts';

/**
 * Raft, section 5.4.2, figure 8: an entry of an earlier term comes to a majority, and then a leader of a term in
 * between, which lacks it, is elected.
 */
export class FigureEight extends Scheme {
  #first: SimMember | undefined;
  #second: SimMember | undefined;
  #others: SimMember[] = [];
  #index = 0;
  #term = 0;
  #isBack = false;

  poll(): boolean {
    if (this.#first === undefined) this.#begin();
    else if (this.#second === undefined) this.#awaitSecond();
    else return this.#bringBack(this.#first, this.#second);
    return false;
  }

  /** The first leader takes a command that nobody else hears of. */
  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    this.separate([found.leader]);
    this.#index = this.workload.propose(found.leader) ?? 0;
    this.#first = found.leader;
    this.#others = found.others;
    this.#term = found.leader.status?.term ?? 0;
  }

  /** The second opens its term, and nobody hears of that either. */
  #awaitSecond(): void {
    const second = this.successor(this.#others, this.#term);
    if (second === undefined) {
      for (const other of this.#others.slice(0, 1)) this.hurry(other);
      return;
    }
    this.release();
    this.separate([second]);
    this.#second = second;
  }

  /** The first leads again until it says that its old command is committed, then the second is let loose. */
  #bringBack(first: SimMember, second: SimMember): boolean {
    if (this.#isBack) {
      this.hurry(second);
      return this.successor([second], first.disk.hard.term) !== undefined;
    }
    const { status } = first;
    if (status?.role !== 'leader') this.hurry(first);
    if (first.disk.termAt(this.#index) !== this.#term) return true;
    if (status === undefined || status.commit < this.#index) return false;
    this.release();
    this.separate([first]);
    this.#isBack = true;
    return false;
  }
}

/**
 * A leader that was cut off comes back with a long tail of its own, into a majority that is too small without it.
 * What it acknowledges of that tail would be committed by its successor alone.
 */
export class LongTail extends Scheme {
  #first: SimMember | undefined;
  #second: SimMember | undefined;
  #others: SimMember[] = [];
  #term = 0;
  #since = 0;
  #index = 0;
  #isOut = false;

  poll(): boolean {
    if (this.#first === undefined) this.#begin();
    else if (this.#second === undefined) this.#awaitSecond();
    else if (this.#index === 0) this.#join(this.#first, this.#second);
    else return this.#leave(this.#second);
    return false;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    this.separate([found.leader]);
    for (let i = 0; i < 6; i++) this.workload.propose(found.leader);
    this.#first = found.leader;
    this.#others = found.others;
    this.#term = found.leader.status?.term ?? 0;
  }

  #awaitSecond(): void {
    this.#second = this.successor(this.#others, this.#term);
    this.#since = this.cluster.now;
    if (this.#second === undefined) this.hurry(this.#others[0] as SimMember);
  }

  /** The second has taken the first for lost when it comes back, and others go. */
  #join(first: SimMember, second: SimMember): void {
    if (this.cluster.now < this.#since + 60) return;
    const company = this.#others.filter((one) => one !== second);
    const count = Math.floor((this.#others.length + 1) / 2) - 1;
    this.release();
    this.separate([first, second, ...company.slice(0, count)]);
    this.#index = this.workload.propose(second) ?? Number.POSITIVE_INFINITY;
  }

  /** What the second says is committed must be there without it. */
  #leave(second: SimMember): boolean {
    if (second.status !== undefined && second.status.commit < this.#index) return false;
    if (!this.#isOut) {
      this.release();
      this.separate([second]);
      this.#isOut = true;
    }
    for (const other of this.#others) if (other !== second) this.hurry(other);
    return this.successor(this.#others, second.disk.hard.term) !== undefined;
  }
}
