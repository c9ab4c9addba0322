import type { RaftCluster } from './cluster.ts';
import type { SimMember } from './member.ts';
import type { RaftFault } from './plan.ts';
import type { Scheme } from './scheme.ts';
import { schemeOf } from './schemes.ts';
import type { Steward } from './steward.ts';
import type { RaftWorkload } from './workload.ts';

/** Makes the trouble of a plan happen. */
export class RaftFaults {
  readonly #cluster: RaftCluster;
  readonly #steward: Steward;
  readonly #workload: RaftWorkload;
  /** One at a time: two would spoil each other. */
  #scheme: Scheme | undefined;
  #echoEnd = 0;

  constructor(cluster: RaftCluster, steward: Steward, workload: RaftWorkload) {
    this.#cluster = cluster;
    this.#steward = steward;
    this.#workload = workload;
    for (const fault of cluster.plan.faults) {
      cluster.agenda.after(fault.at, () => this.#apply(fault));
    }
  }

  /** What trouble that waits for its moment does now. */
  poll(): void {
    if (this.#cluster.now < this.#echoEnd) this.#cluster.network.echo(2);
    if (this.#scheme?.poll() !== true) return;
    this.#cluster.meet(`a scheme carried out: ${this.#scheme.constructor.name}`);
    this.#endScheme();
  }

  /** Ends everything that has an end. */
  heal(): void {
    this.#endScheme();
    this.#echoEnd = 0;
    this.#cluster.network.heal();
    for (const member of this.#cluster.members) {
      member.spare();
      member.resume();
      member.start();
    }
  }

  #apply(fault: RaftFault): void {
    const cluster = this.#cluster;
    cluster.remark([fault.kind.length], () => `fault ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'weather':
        Object.assign(cluster.network, {
          lossPerMille: fault.lossPerMille,
          doublePerMille: fault.doublePerMille,
          delayMax: fault.delayMax,
          latePerMille: fault.latePerMille,
        });
        cluster.agenda.after(fault.span, () => cluster.network.calm());
        return;
      case 'cut':
        cluster.network.cut(
          this.#member(fault.from).number,
          this.#member(fault.to).number,
          fault.span,
        );
        return;
      case 'split':
        this.#split(fault.mask, fault.span);
        return;
      case 'bridge':
        this.#split(fault.mask, fault.span, this.#member(fault.member).number);
        return;
      case 'crash-leader':
        this.#crash(cluster.leader(), fault);
        return;
      case 'isolate-leader':
        this.#isolateLeader(fault);
        return;
      case 'change':
        this.#steward.change(fault.wish, fault.member);
        return;
      case 'transfer':
        this.#transfer(fault.member);
        return;
      case 'echo':
        this.#echoEnd = Math.max(this.#echoEnd, cluster.now + fault.span);
        return;
      case 'scheme':
        if (this.#scheme === undefined) this.#begin(fault);
        return;
      default:
        this.#applyTo(this.#member(fault.member), fault);
    }
  }

  #applyTo(
    member: SimMember,
    fault: Extract<
      RaftFault,
      { kind: 'crash' | 'damage' | 'disk-loss' | 'hurry' | 'pause' | 'rate' }
    >,
  ): void {
    const { agenda } = this.#cluster;
    switch (fault.kind) {
      case 'crash':
        this.#crash(member, fault);
        return;
      case 'damage': {
        const index = member.disk.lastIndex - fault.depth;
        if (index <= member.disk.snapshot.index || member.condition === 'lost') return;
        const isSpare = this.#steward.canSpare(member);
        if (!isSpare && !this.#steward.isCovered(member)) return;
        this.#cluster.meet(isSpare ? 'an unreadable entry' : 'one more unreadable entry');
        member.crash();
        member.disk.damage(index, fault);
        agenda.after(fault.span, () => member.start());
        return;
      }
      case 'disk-loss':
        if (!this.#steward.canSpare(member)) return;
        this.#cluster.meet('a disk lost');
        member.loseDisk();
        return;
      case 'pause':
        member.pause();
        agenda.after(fault.span, () => member.resume());
        return;
      case 'hurry':
        for (let i = 0; i < fault.ticks; i++) member.step({ kind: 'tick' });
        return;
      case 'rate':
        member.tickPeriod = fault.period;
    }
  }

  #begin({ scheme: kind, span }: Extract<RaftFault, { kind: 'scheme' }>): void {
    const scheme = schemeOf(kind, {
      cluster: this.#cluster,
      workload: this.#workload,
      steward: this.#steward,
    });
    this.#scheme = scheme;
    this.#cluster.agenda.after(span, () => {
      if (this.#scheme === scheme) this.#endScheme();
    });
  }

  #endScheme(): void {
    this.#scheme?.release();
    this.#scheme = undefined;
  }

  #crash(
    member: SimMember | undefined,
    { afterEffects, span }: { readonly afterEffects: number; readonly span: number },
  ): void {
    member?.crashAfter(afterEffects, () => {
      this.#cluster.meet('a crash between effects');
      this.#cluster.agenda.after(span, () => member.start());
    });
  }

  #member(number: number): SimMember {
    const { members } = this.#cluster;
    return members[number % members.length] as SimMember;
  }

  #split(mask: number, span: number, bridge?: number): void {
    const { members, network } = this.#cluster;
    const sideOf = ({ number }: SimMember): number => (mask >> (number % 8)) & 1;
    for (const from of members) {
      for (const to of members) {
        if (from.number === bridge || to.number === bridge) continue;
        if (sideOf(from) !== sideOf(to)) network.cut(from.number, to.number, span);
      }
    }
  }

  #isolateLeader({ way, span }: Extract<RaftFault, { kind: 'isolate-leader' }>): void {
    const { members, network } = this.#cluster;
    const leader = this.#cluster.leader();
    if (leader === undefined) return;
    for (const { number } of members) {
      if (number === leader.number) continue;
      if (way !== 'out') network.cut(number, leader.number, span);
      if (way !== 'in') network.cut(leader.number, number, span);
    }
  }

  #transfer(number: number): void {
    const leader = this.#cluster.leader();
    const voters = leader?.status?.config.voters ?? [];
    const to = voters[number % (voters.length + 1)];
    leader?.step(to === undefined ? { kind: 'transfer' } : { kind: 'transfer', to });
  }
}
