import type { SimMember } from './member.ts';
import { Scheme } from './scheme.ts';

/** More than the leader in between is likely to write. */
const entriesCount = 4;

/**
 * What a follower has acknowledged is cut off there and at its leader, which leads again, has written something
 * else in its place, and gets the old acknowledgements only now.
 */
export class OldAnswers extends Scheme {
  #first: SimMember | undefined;
  #follower: SimMember | undefined;
  #second: SimMember | undefined;
  #others: SimMember[] = [];
  #stage: 'spread' | 'replaced' | 'cut' | 'again' | 'overthrown' = 'spread';
  #unclog: (() => void) | undefined;
  #index = 0;
  #term = 0;

  poll(): boolean {
    const [first, follower] = [this.#first, this.#follower];
    if (first === undefined || follower === undefined) {
      this.#begin();
      return false;
    }
    switch (this.#stage) {
      case 'spread':
        this.#spread(first, follower);
        return first.status?.role !== 'leader' && this.#stage === 'spread';
      case 'replaced':
        this.#replace();
        return false;
      case 'cut':
        this.#lead(first, follower);
        return false;
      case 'again':
        return this.#commit(first);
      case 'overthrown':
        for (const one of [follower, ...this.#others]) this.hurry(one);
        return this.successor([follower, ...this.#others], first.disk.hard.term) !== undefined;
    }
  }

  override release(): void {
    this.#unclog?.();
    this.#unclog = undefined;
    super.release();
  }

  /** The leader and one follower have entries of their own, too few to commit them. */
  #begin(): void {
    const found = this.leaderAndVoters();
    const [follower] = found?.others ?? [];
    if (found === undefined || follower === undefined || found.others.length < 3) return;
    const { leader, others } = found;
    this.separate([leader, follower]);
    this.#unclog = this.cluster.network.clog(follower.number, leader.number);
    this.#index = follower.disk.lastIndex;
    this.#term = leader.status?.term ?? 0;
    this.#others = others.filter((one) => one !== follower);
    this.#first = leader;
    this.#follower = follower;
  }

  /** One by one, or they would overtake each other. */
  #spread(first: SimMember, follower: SimMember): void {
    const { lastIndex } = follower.disk;
    if (lastIndex >= this.#index + entriesCount) {
      this.#index = lastIndex;
      this.#stage = 'replaced';
    } else if (lastIndex === first.disk.lastIndex) this.workload.propose(first);
  }

  #replace(): void {
    const second = this.successor(this.#others, this.#term);
    if (second === undefined) this.hurry(this.#others[0] as SimMember);
    else {
      super.release();
      this.#second = second;
      this.#stage = 'cut';
    }
  }

  /** The first has nothing left of its own, and leads again; now the old answers come. */
  #lead(first: SimMember, follower: SimMember): void {
    const isCut = [first, follower].every(
      ({ disk }) => disk.termAt(this.#index) !== this.#term && disk.hard.term > this.#term,
    );
    if (!isCut) return;
    if (this.#second !== undefined) this.separate([this.#second]);
    this.#second = undefined;
    if (first.status?.role !== 'leader') {
      for (const one of this.#others) this.hurry(one);
      this.hurry(first);
      return;
    }
    super.release();
    this.#index = first.status.lastIndex;
    this.#unclog?.();
    this.#unclog = undefined;
    const voters = this.#others.length + 2;
    const company = this.#others.splice(0, Math.floor(voters / 2) - 1);
    this.separate([first, ...company]);
    this.#stage = 'again';
  }

  #commit(first: SimMember): boolean {
    const { status } = first;
    if (status?.role !== 'leader') return true;
    if (status.commit >= this.#index) this.#stage = 'overthrown';
    return false;
  }
}
