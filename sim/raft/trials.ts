import { type RaftCluster, usualPeriod } from './cluster.ts';
import type { SimMember } from './member.ts';

/** Longer than any member waits for word of its leader. */
const deafMoments = 2 * 16 * usualPeriod.max;
/** A few elections. */
const replaceMomentsMax = 10 * 16 * usualPeriod.max;

/** What members that agree and are at rest must bear. Each seed has one of these. */
export class Trials {
  readonly #cluster: RaftCluster;
  readonly #moment: () => void;

  constructor(cluster: RaftCluster, moment: () => void) {
    this.#cluster = cluster;
    this.#moment = moment;
  }

  one(): void {
    const leader = this.#cluster.leader();
    const voters = leader?.status?.config.voters ?? [];
    const others = this.#cluster.members.filter(
      (one) => one !== leader && voters.includes(one.key),
    );
    if (leader === undefined || others.length < 2) return;
    if (this.#cluster.random.chance(500)) this.#deafFollower(leader, others);
    else this.#deafLeader(leader, others);
  }

  /** Who does not hear the leader that all others hear does not unseat it, nor when it hears it again. */
  #deafFollower(leader: SimMember, others: readonly SimMember[]): void {
    const follower = this.#cluster.random.pick(others);
    const term = leader.status?.term;
    this.#cluster.remark([follower.number], () => `${follower.number} does not hear its leader`);
    const release = this.#cluster.network.hold(leader.number, follower.number);
    this.#wait(deafMoments, () => false);
    release();
    this.#wait(deafMoments, () => false);
    const now = this.#cluster.leader()?.status?.term;
    if (now !== term)
      this.#cluster.fail('disruption', `one deaf voter moved term ${term} to ${now}`);
  }

  /** Who is heard and hears nobody does not lead on. */
  #deafLeader(leader: SimMember, others: readonly SimMember[]): void {
    const term = leader.status?.term ?? 0;
    this.#cluster.remark([leader.number], () => `the leader ${leader.number} hears nobody`);
    for (const { number } of this.#cluster.members) {
      if (number !== leader.number) this.#cluster.network.hold(number, leader.number);
    }
    const isReplaced = this.#wait(replaceMomentsMax, () =>
      others.some(({ status }) => status?.role === 'leader' && status.term > term),
    );
    if (!isReplaced) this.#cluster.fail('availability', 'a leader that hears nobody leads on');
  }

  #wait(moments: number, isOver: () => boolean): boolean {
    for (let i = 0; i < moments && this.#cluster.violation === undefined; i++) {
      if (isOver()) return true;
      this.#moment();
    }
    return this.#cluster.violation !== undefined;
  }
}
