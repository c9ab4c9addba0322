import { LayoutWriter } from '../../src/core/format/byte-layout.ts';
import type { Prng } from '../prng.ts';
import type { RaftCluster } from './cluster.ts';
import type { SimMember } from './member.ts';

const paddingMax = 12;

/** Clients: they ask whoever believes to lead, also those that are wrong. */
export class RaftWorkload {
  readonly #cluster: RaftCluster;
  readonly #random: Prng;
  #commands = 0;
  #reads = 0;

  constructor(cluster: RaftCluster) {
    this.#cluster = cluster;
    this.#random = cluster.random.fork();
  }

  /** What clients do in one moment. */
  step(): void {
    const { members, plan } = this.#cluster;
    const isProposal = this.#random.chance(plan.proposePerMille);
    const isRead = this.#random.chance(plan.readPerMille);
    if (!isProposal && !isRead) return;
    const leaders = members.filter(({ status }) => status?.role === 'leader');
    if (leaders.length === 0) return;
    if (isProposal) this.propose(this.#random.pick(leaders));
    if (isRead) this.read(this.#random.pick(leaders));
  }

  /** A command that was never proposed before. @returns its index, if it was taken */
  propose(leader: SimMember): number | undefined {
    const padding = this.#random.below(paddingMax);
    const payload = new LayoutWriter(4 + padding)
      .uint32(++this.#commands)
      .zeros(padding)
      .done();
    const outcome = leader.step({ kind: 'propose', payload });
    return outcome?.kind === 'ok' ? outcome.index : undefined;
  }

  read(leader: SimMember): void {
    leader.read(++this.#reads);
  }

  /** Members that have applied enough since their last snapshot take another. */
  compact(): void {
    for (const member of this.#cluster.members) {
      const isDue = member.applied >= member.disk.snapshot.index + this.#cluster.plan.compactAfter;
      if (isDue && member.condition === 'running') member.compact();
    }
  }
}
