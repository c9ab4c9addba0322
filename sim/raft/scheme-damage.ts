import type { SimMember } from './member.ts';
import { Scheme } from './scheme.ts';

/** An entry is committed by just enough voters, one of them loses it, and that one's vote decides who leads next. */
export class LostEntry extends Scheme {
  #leader: SimMember | undefined;
  #victim: SimMember | undefined;
  #others: SimMember[] = [];
  #index = 0;
  #isDamaged = false;

  poll(): boolean {
    const [leader, victim] = [this.#leader, this.#victim];
    if (leader === undefined || victim === undefined) this.#begin();
    else if (!this.#isDamaged) return this.#damage(leader, victim);
    else return this.#replace(leader);
    return false;
  }

  /** The entry reaches no more than a majority. */
  #begin(): void {
    const found = this.leaderAndVoters();
    if (found === undefined || found.others.length < 2) return;
    const count = Math.floor((found.others.length + 1) / 2);
    const company = found.others.slice(0, count);
    this.separate([found.leader, ...company]);
    this.#index = this.workload.propose(found.leader) ?? Number.POSITIVE_INFINITY;
    this.#leader = found.leader;
    this.#victim = company[0];
    this.#others = found.others.slice(count);
  }

  #damage(leader: SimMember, victim: SimMember): boolean {
    if ((leader.status?.commit ?? 0) < this.#index) return false;
    this.release();
    const { disk } = victim;
    if (disk.lastIndex < this.#index || disk.snapshot.index >= this.#index) return true;
    if (!this.steward.canSpare(victim)) return true;
    victim.crash();
    disk.damage(this.#index);
    victim.start();
    this.separate([victim, ...this.#others]);
    this.#isDamaged = true;
    return false;
  }

  /** Those that lack the entry stand. */
  #replace(leader: SimMember): boolean {
    for (const other of this.#others) this.hurry(other);
    return this.successor(this.#others, leader.disk.hard.term) !== undefined;
  }
}

/**
 * A leader is about to make a learner a voter; another leads after it, whose word reaches that learner alone; and
 * then the other's journal is damaged. Nobody can win but the learner, which does not know that it votes.
 */
export class NewestLearner extends Scheme {
  #first: SimMember | undefined;
  #learner: SimMember | undefined;
  #others: SimMember[] = [];
  #term = 0;
  #isReleased = false;

  poll(): boolean {
    const [first, learner] = [this.#first, this.#learner];
    if (first === undefined || learner === undefined) this.#begin();
    else return this.#replace(first, learner);
    return false;
  }

  #begin(): void {
    const found = this.leaderAndVoters();
    const status = found?.leader.status;
    if (found === undefined || status === undefined || found.others.length < 2) return;
    const learner = this.cluster.members.find(
      ({ key, condition }) => condition === 'running' && status.config.learners.includes(key),
    );
    if (learner === undefined) {
      this.steward.change(0, 0);
      return;
    }
    if (learner.applied < status.commit) return;
    const voters = [...status.config.voters, learner.key];
    this.separate([found.leader]);
    this.steward.configure(found.leader, { voters, learners: [] });
    this.#first = found.leader;
    this.#learner = learner;
    this.#others = found.others;
    this.#term = status.term;
  }

  /** The second is let elect itself, and as soon as it leads nobody but the learner hears it. */
  #replace(first: SimMember, learner: SimMember): boolean {
    const second = this.successor(this.#others, this.#term);
    if (second === undefined) {
      this.hurry(this.#others[0] ?? first);
      return false;
    }
    for (const one of this.cluster.members) {
      if (!this.#isReleased && one !== second && one !== learner) this.mute(second, one);
    }
    this.#isReleased = true;
    const { disk } = second;
    if (learner.disk.last.term !== disk.hard.term) return false;
    if (disk.last.term === disk.hard.term && this.steward.canSpare(second)) {
      second.crash();
      disk.damage(disk.lastIndex);
      second.start();
    }
    return true;
  }
}
