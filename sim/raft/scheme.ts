import type { RaftCluster } from './cluster.ts';
import type { SimMember } from './member.ts';
import type { Steward } from './steward.ts';
import type { RaftWorkload } from './workload.ts';

/** Whom a scheme uses. */
export type SchemeTools = {
  readonly cluster: RaftCluster;
  readonly workload: RaftWorkload;
  readonly steward: Steward;
};

/**
 * Trouble that waits for its moment: it sees everything, and does what leads straight to a rare disaster, if
 * there is a bug that allows it. Without these, a few hundred seeds miss such bugs.
 */
export abstract class Scheme {
  readonly cluster: RaftCluster;
  readonly workload: RaftWorkload;
  readonly steward: Steward;
  #releases: (() => void)[] = [];
  #ticks = 0;

  constructor({ cluster, workload, steward }: SchemeTools) {
    this.cluster = cluster;
    this.workload = workload;
    this.steward = steward;
  }

  /** What it does at this moment. @returns whether it is over */
  abstract poll(): boolean;

  /** Nobody else hears them or is heard by them. */
  separate(side: readonly SimMember[]): void {
    const { members, network } = this.cluster;
    for (const one of side) {
      for (const other of members) {
        if (side.includes(other)) continue;
        this.#releases.push(network.hold(one.number, other.number));
        this.#releases.push(network.hold(other.number, one.number));
      }
    }
  }

  /** Whatever one says does not reach the other. */
  mute(from: SimMember, to: SimMember): void {
    this.#releases.push(this.cluster.network.hold(from.number, to.number));
  }

  /** Everybody reaches everybody again, as far as this scheme is concerned. */
  release(): void {
    for (const release of this.#releases) release();
    this.#releases = [];
  }

  /** Its clock leaps, so that it gives its leader up, and soon stands; only now and then, or elections never end. */
  hurry(member: SimMember): void {
    if (this.#ticks++ % 16 !== 0) return;
    for (let i = 0; i < 16; i++) member.step({ kind: 'tick' });
  }

  /** Whoever leads and can do it for a while, with the other voters of its configuration. */
  leaderAndVoters(): { readonly leader: SimMember; readonly others: SimMember[] } | undefined {
    const leader = this.cluster.leader();
    const voters = leader?.status?.config.voters ?? [];
    if (leader === undefined || !voters.includes(leader.key)) return undefined;
    const isOther = ({ key, condition }: SimMember): boolean =>
      condition === 'running' && key !== leader.key && voters.includes(key);
    const others = this.cluster.members.filter(isOther);
    return others.length + 1 === voters.length ? { leader, others } : undefined;
  }

  /** Whoever of these leads in a later term than this. */
  successor(among: readonly SimMember[], term: number): SimMember | undefined {
    return among.find(({ status }) => status?.role === 'leader' && status.term > term);
  }
}
