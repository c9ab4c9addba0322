import type { SimMember } from './member.ts';
import { Scheme } from './scheme.ts';

/** Two leaders change an even number of voters, and neither knows of the other's change (Ongaro, raft-dev, 2015). */
export class RivalChanges extends Scheme {
  #first: SimMember | undefined;
  #second: SimMember | undefined;
  #others: SimMember[] = [];
  #term = 0;

  poll(): boolean {
    if (this.#first === undefined) this.#begin();
    else if (this.#second === undefined) this.#awaitSecond(this.#first);
    else return this.#shrink(this.#first, this.#second);
    return false;
  }

  /** The first adds a newcomer, of which no old voter hears. */
  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 3 || found.others.length % 2 === 0) return;
    const { config, term } = found.leader.status ?? {};
    if (config === undefined || term === undefined || this.cluster.members.length > 12) return;
    const newcomer = this.cluster.add();
    this.separate([found.leader]);
    const voters = [...config.voters, newcomer.key];
    const outcome = this.steward.configure(found.leader, { ...config, voters });
    this.#first = found.leader;
    this.#others = found.others;
    this.#term = outcome?.kind === 'ok' ? term : Number.POSITIVE_INFINITY;
  }

  /** The second is elected by the old voters; then just enough stay with it to go on without the first. */
  #awaitSecond(first: SimMember): void {
    const second = this.successor(this.#others, this.#term);
    if (second === undefined) {
      this.hurry(this.#others[0] ?? first);
      return;
    }
    const company = this.#others.filter((one) => one !== second);
    this.release();
    this.separate([second, ...company.slice(0, (this.#others.length + 1) / 2 - 1)]);
    this.#second = second;
  }

  /** The second removes the first, which stands with the newcomer and the others. */
  #shrink(first: SimMember, second: SimMember): boolean {
    const { status } = second;
    if (status?.role === 'leader' && status.config.voters.includes(first.key)) {
      const voters = status.config.voters.filter((key) => key !== first.key);
      this.steward.configure(second, { ...status.config, voters });
      return false;
    }
    if (first.status?.role !== 'leader') this.hurry(first);
    return this.successor([first], second.disk.hard.term) !== undefined;
  }
}

/** A change that nobody else has heard of is undone, and its leader, which leads again, makes another. */
export class UndoneChange extends Scheme {
  #first: SimMember | undefined;
  #others: SimMember[] = [];
  #index = 0;
  #term = 0;
  #isBack = false;

  poll(): boolean {
    if (this.#first === undefined) {
      this.#begin();
      return false;
    }
    const second = this.successor(this.#others, this.#term);
    if (!this.#isBack) {
      if (second === undefined) this.hurry(this.#others[0] as SimMember);
      else this.release();
      this.#isBack = second !== undefined;
    }
    if (!this.#isBack || this.#first.disk.termAt(this.#index) === this.#term) return false;
    return this.#again(this.#first);
  }

  /** The state up to before the change is compacted, too. */
  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    const { config, term } = found.leader.status ?? {};
    if (config === undefined || term === undefined || this.cluster.members.length > 12) return;
    this.separate([found.leader]);
    const voters = [...config.voters, this.cluster.add().key];
    const outcome = this.steward.configure(found.leader, { ...config, voters });
    if (found.leader.applied > found.leader.disk.snapshot.index) found.leader.compact();
    this.#first = found.leader;
    this.#others = found.others;
    this.#term = term;
    this.#index = (outcome?.kind === 'ok' ? outcome.index : undefined) ?? 0;
  }

  #again(first: SimMember): boolean {
    const { status } = first;
    if (status?.role !== 'leader') {
      this.hurry(first);
      return false;
    }
    const gone = status.config.voters.find((key) => key !== first.key);
    const voters = status.config.voters.filter((key) => key !== gone);
    const outcome = this.steward.configure(first, { ...status.config, voters });
    return outcome?.kind !== 'not-ready';
  }
}

/** Two changes begin at once, which together give a leader with few old voters a majority of its own. */
export class TwoChanges extends Scheme {
  #first: SimMember | undefined;
  #others: SimMember[] = [];
  #term = 0;
  #index = 0;

  poll(): boolean {
    if (this.#first === undefined) {
      this.#begin();
      return false;
    }
    const second = this.successor(this.#others, this.#term);
    if (second === undefined) this.hurry(this.#others[0] as SimMember);
    const commit = this.#first.status?.commit ?? 0;
    return second !== undefined && commit >= this.#index;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2 || found.others.length % 2 === 1) return;
    const { leader, others } = found;
    const { config, term } = leader.status ?? {};
    if (config === undefined || term === undefined || this.cluster.members.length > 12) return;
    const newcomers = [this.cluster.add(), this.cluster.add()];
    const company = others.slice(0, others.length / 2 - 1);
    this.separate([leader, ...newcomers, ...company]);
    let { voters } = config;
    for (const { key } of newcomers) {
      voters = [...voters, key];
      this.steward.configure(leader, { ...config, voters });
    }
    this.#index = leader.status?.lastIndex ?? 0;
    this.#others = others.filter((one) => !company.includes(one));
    this.#term = term;
    this.#first = leader;
  }
}
