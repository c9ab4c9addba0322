import type { AgentKey } from '../../src/core/ids.ts';
import { reaches } from '../../src/core/protocol/raft/log.ts';
import { membersOf, quorumOf } from '../../src/core/protocol/raft/membership.ts';
import type { RaftConfig, RaftOutcome, RaftStatus } from '../../src/core/protocol/raft/types.ts';
import type { RaftCluster } from './cluster.ts';
import type { SimMember } from './member.ts';
import { numberOf } from './names.ts';

const membersMax = 20;
/** A learner this close to the leader's log may become a voter. */
const promotionGapMax = 8;

/**
 * The operator: changes who takes part, and puts newcomers in the place of members whose disk is gone.
 * It sees everything, and never gives a majority into the hands of members that cannot vote: what needs
 * a decree is beyond this simulation.
 */
export class Steward {
  readonly #cluster: RaftCluster;

  constructor(cluster: RaftCluster) {
    this.#cluster = cluster;
  }

  /** True when every configuration that may still count has a quorum of sound voters without this one. */
  canSpare(member: SimMember): boolean {
    return this.#livingConfigs().every((config) => this.#hasSoundQuorum(config, member.key));
  }

  /**
   * True when no more than the end of this one's log need be missed: a sound voter has all of it, and of what
   * other damaged members have lost. So that one can be elected by a majority of whoever has a disk, damaged or not.
   */
  isCovered(member: SimMember): boolean {
    const { members } = this.#cluster;
    const ends = members
      .filter((one) => one.condition !== 'lost')
      .map(({ disk }) => disk.lost)
      .concat(member.disk.endOfAll);
    const hasAll = ({ disk }: SimMember): boolean =>
      ends.every((end) => end === undefined || reaches(disk.last, end));
    const isVoter = ({ key, disk }: SimMember): boolean =>
      disk.configsFrom(disk.lastIndex)[0]?.voters.includes(key) === true;
    const hasQuorum = ({ voters }: RaftConfig): boolean =>
      voters.filter((key) => this.#member(key)?.condition !== 'lost').length >=
      quorumOf({ voters, learners: [] });
    return (
      members.some((one) => one !== member && one.isSound && isVoter(one) && hasAll(one)) &&
      this.#livingConfigs().every(hasQuorum)
    );
  }

  /** One of a few changes, as far as it is possible now. */
  change(wish: number, number: number): void {
    const leader = this.#cluster.leader();
    const config = leader?.status?.config;
    if (leader === undefined || config === undefined) return;
    const { voters, learners } = config;
    const [voter, learner] = [voters[number % voters.length], learners[number % learners.length]];
    const without = (keys: readonly AgentKey[], key: AgentKey): AgentKey[] =>
      keys.filter((one) => one !== key);
    if (wish === 0) this.#addLearner(leader, config);
    else if (wish === 1 && learner !== undefined) {
      this.configure(leader, {
        voters: [...voters, learner],
        learners: without(learners, learner),
      });
    } else if (wish === 2 && voter !== undefined) {
      this.configure(leader, { voters: without(voters, voter), learners: [...learners, voter] });
    } else if (wish === 3 && voter !== undefined) {
      this.configure(leader, { voters: without(voters, voter), learners });
    } else if (wish === 5 && voter !== undefined && learner !== undefined) {
      // Two voters at once: nobody may do this.
      this.configure(leader, { voters: [...without(voters, voter), learner], learners: [] });
    } else if (wish === 4 && learner !== undefined) {
      this.configure(leader, { voters, learners: without(learners, learner) });
    }
  }

  /** The next step towards a full set of living voters. @returns whether there is nothing left to do */
  mend(): boolean {
    const leader = this.#cluster.leader();
    const status = leader?.status;
    if (leader === undefined || status === undefined) return false;
    const { config } = status;
    const { voters, learners } = config;
    const lost = membersOf(config).find((key) => this.#member(key)?.condition === 'lost');
    const isShort = voters.filter((key) => key !== lost).length < this.#cluster.plan.voters;
    const ready = learners.find((key) => key !== lost && isReady(status, key));
    if (isShort && learners.every((key) => key === lost)) {
      this.#addLearner(leader, config);
    } else if (isShort && ready !== undefined) {
      const others = learners.filter((key) => key !== ready);
      this.configure(leader, { voters: [...voters, ready], learners: others });
    } else if (lost !== undefined) {
      this.configure(leader, {
        voters: voters.filter((key) => key !== lost),
        learners: learners.filter((key) => key !== lost),
      });
    } else {
      return !isShort;
    }
    return false;
  }

  #addLearner(leader: SimMember, { voters, learners }: RaftConfig): void {
    const { members } = this.#cluster;
    const idle = members.find(
      ({ key, condition, disk }) =>
        condition !== 'lost' &&
        disk.hard.term === 0 &&
        !membersOf({ voters, learners }).includes(key),
    );
    if (idle === undefined && members.length >= membersMax) return;
    const newcomer = idle ?? this.#cluster.add();
    this.configure(leader, { voters, learners: [...learners, newcomer.key] });
  }

  /** Asks for a change, unless it would leave the log in the hands of members that cannot vote. */
  configure(leader: SimMember, config: RaftConfig): RaftOutcome | undefined {
    if (config.voters.length === 0 || !this.#hasSoundQuorum(config)) return undefined;
    const outcome = leader.step({ kind: 'configure', config });
    this.#cluster.remark(
      [leader.number, config.voters.length, config.learners.length],
      () => `change asked of ${leader.number}: ${JSON.stringify(outcome)}`,
    );
    return outcome;
  }

  /** What is committed, and whatever stands after it in any log. */
  #livingConfigs(): RaftConfig[] {
    const { members, committed } = this.#cluster;
    const from = committed.lastIndex;
    const disks = members.filter(({ condition }) => condition !== 'lost').map(({ disk }) => disk);
    const current = disks.filter((disk) => disk.lastIndex >= from);
    return current.flatMap((disk) => disk.configsFrom(Math.max(from, disk.snapshot.index)));
  }

  #hasSoundQuorum(config: RaftConfig, without?: AgentKey): boolean {
    const sound = config.voters.filter((key) => key !== without && this.#member(key)?.isSound);
    return sound.length >= quorumOf(config);
  }

  #member(key: AgentKey): SimMember | undefined {
    return this.#cluster.members[numberOf(key)];
  }
}

function isReady(status: RaftStatus, key: AgentKey): boolean {
  const progress = status.progress.find(({ agent }) => agent === key);
  return progress?.isActive === true && progress.matchIndex + promotionGapMax >= status.lastIndex;
}
