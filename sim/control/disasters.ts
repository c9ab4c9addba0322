import type { AgentKey } from '../../src/core/ids.ts';
import type { ControlAgent } from './agent.ts';
import type { ControlCluster } from './cluster.ts';
import { DecreeOperator } from './decree-operator.ts';
import type { DiskCopy } from './disk.ts';
import { LyingLeader } from './lying-leader.ts';
import type { ControlFault, HolderLoss } from './plan.ts';
import type { ControlWorkload } from './workload.ts';

/** Trouble that operators must answer, or that a log does not bear. */
export type Disaster = Extract<
  ControlFault,
  {
    readonly kind:
      | 'majority-lost'
      | 'false-decree'
      | 'site-lost'
      | 'lease-lost'
      | 'liar'
      | 'roll-back'
      | 'clone'
      | 'upgrade'
      | 'lying-leader';
  }
>;

const kinds: readonly ControlFault['kind'][] = [
  ...(['majority-lost', 'false-decree', 'site-lost', 'liar', 'roll-back', 'clone'] as const),
  ...(['upgrade', 'lying-leader', 'lease-lost'] as const),
];

export function isDisaster(fault: ControlFault): fault is Disaster {
  return kinds.includes(fault.kind);
}

/** Operators look around before they believe that most voters are gone. */
const reactionMs = 1500;
/** A cut must outlast the notice of a decree. */
const cutMsMin = 8000;
/** Longer than a site must be silent to be lost, at the slowest clock. */
const silenceMs = 50_000;
const returnMsMax = 20_000;

/** Makes disasters happen. */
export class Disasters {
  readonly #cluster: ControlCluster;
  readonly #workload: ControlWorkload;
  readonly #operator: DecreeOperator;
  readonly #atHeal: (() => void)[] = [];
  #isOver = false;
  /** Hosts that will be found again. */
  #missing = 0;

  constructor(cluster: ControlCluster, workload: ControlWorkload) {
    this.#cluster = cluster;
    this.#workload = workload;
    this.#operator = new DecreeOperator(cluster);
  }

  apply(fault: Disaster): void {
    switch (fault.kind) {
      case 'majority-lost':
        this.#loseMajority(fault.first, fault.mask);
        return;
      case 'false-decree':
        this.#declareFalsely(fault.first, Math.max(fault.spanMs, cutMsMin));
        return;
      case 'site-lost':
        this.#loseSite(fault.isOff);
        return;
      case 'lease-lost':
        this.#loseHolder(fault.how);
        return;
      case 'roll-back':
        this.#rollBack(this.#agent(fault.agent), fault);
        return;
      case 'clone':
        this.#clone(this.#agent(fault.agent), fault.spanMs);
        return;
      case 'upgrade':
        this.#cluster.upgrade?.begin();
        return;
      case 'lying-leader':
        this.#lie();
        return;
      case 'liar':
        this.#workload.lieAs(this.#agent(fault.agent).agentKey);
    }
  }

  get isOpen(): boolean {
    return this.#missing > 0;
  }

  /** The end of all trouble: who is found again comes back. */
  heal(): void {
    this.#isOver = true;
    this.#cluster.upgrade?.finish();
    for (const one of this.#atHeal) one();
  }

  #agent(number: number): ControlAgent {
    const { agents } = this.#cluster;
    return agents[number % agents.length] as ControlAgent;
  }

  /** Of those who vote now, from the first on. */
  #voters(first: number): readonly AgentKey[] {
    const { voters } = this.#cluster.leader()?.control?.status().config ?? { voters: [] };
    return voters.map((_, i) => voters[(first + i) % voters.length] as AgentKey);
  }

  #loseMajority(first: number, mask: number): void {
    const { agents, world, random } = this.#cluster;
    const voters = this.#voters(first);
    if (voters.length < 3) return;
    const gone = new Set(voters.slice(0, Math.floor(voters.length / 2) + 1));
    for (const [i, agent] of agents.entries()) {
      if (!gone.has(agent.agentKey)) continue;
      agent.crash();
      agent.isLost = true;
      if (((mask >> i) & 1) === 0) continue;
      this.#missing++;
      this.#atHeal.push(() => world.after(random.below(returnMsMax), () => this.#find(agent)));
    }
    world.meet('a majority lost for good');
    const survivors = (): ControlAgent[] => this.#cluster.running().filter(({ isLost }) => !isLost);
    world.after(reactionMs, () => this.#operator.declare({ survivors, isTrue: true }));
  }

  /** Someone has found the old machine, and switches it on. */
  #find(agent: ControlAgent): void {
    agent.isLost = false;
    this.#missing--;
    this.#cluster.world.meet('a host of an old generation that returns');
    this.#cluster.start(agent);
  }

  #declareFalsely(first: number, spanMs: number): void {
    const { agents, internet, world } = this.#cluster;
    const voters = this.#voters(first);
    if (voters.length < 3) return;
    const majority = new Set(voters.slice(0, Math.floor(voters.length / 2) + 1));
    const isThere = ({ agentKey }: ControlAgent): boolean => majority.has(agentKey);
    for (const from of agents) {
      for (const to of agents) {
        if (isThere(from) === isThere(to)) continue;
        internet.cut(from.person.peerKey, to.person.peerKey);
        world.after(spanMs, () => internet.mend(from.person.peerKey, to.person.peerKey));
      }
    }
    const survivors = (): ControlAgent[] =>
      this.#cluster.running().filter((agent) => !isThere(agent));
    world.after(reactionMs, () => this.#operator.declare({ survivors, isTrue: false }));
  }

  #loseSite(isOff: boolean): void {
    const { world, truth } = this.#cluster;
    const holder = this.#cluster.of(this.#workload.standbyHolder() ?? ('' as AgentKey));
    if (holder === undefined) return;
    world.meet('the site of a live copy lost');
    holder.crash();
    holder.isLost = true;
    this.#missing++;
    if (isOff) {
      truth.powerOff(holder.agentKey, undefined);
      this.#workload.isolate(holder.agentKey);
    }
    world.after(silenceMs, () => this.#find(holder));
  }

  #loseHolder(how: HolderLoss): void {
    const { agents, internet, world } = this.#cluster;
    const holder = this.#cluster.of(this.#workload.standbyHolder() ?? ('' as AgentKey));
    if (holder?.run === undefined) return;
    world.meet(`a holder of a lease ${how}`);
    if (how === 'paused') {
      holder.pause();
      world.after(silenceMs, () => holder.resume());
      return;
    }
    if (how === 'killed') {
      holder.crash();
      holder.isLost = true;
      this.#missing++;
      world.after(silenceMs, () => this.#find(holder));
      return;
    }
    const self = holder.person.peerKey;
    for (const { person } of agents) {
      if (person.peerKey === self) continue;
      if (how !== 'deaf') internet.cut(self, person.peerKey);
      if (how !== 'mute') internet.cut(person.peerKey, self);
    }
    world.after(silenceMs, () => {
      for (const { person } of agents) {
        internet.mend(self, person.peerKey);
        internet.mend(person.peerKey, self);
      }
    });
  }

  #rollBack(
    agent: ControlAgent,
    { spanMs, isEmptied }: Extract<ControlFault, { kind: 'roll-back' }>,
  ) {
    const { world } = this.#cluster;
    const before: DiskCopy = agent.disk.copy();
    world.after(spanMs, () => {
      world.meet(isEmptied ? 'a disk emptied' : 'a disk rolled back');
      agent.crash();
      if (isEmptied) agent.disk.restore(this.#empty(before));
      else agent.disk.restore(before);
      this.#cluster.start(agent);
    });
  }

  /** As that of a new member: somebody has kept the keys and lost the rest. */
  #empty({ stored }: DiskCopy): DiskCopy {
    const hard = { ...stored.hard, term: 0, votedFor: undefined };
    const none = new Map<string, never>();
    const nothing = { fences: none, votes: none, steps: none };
    return {
      ...nothing,
      stored: { hard, snapshot: stored.snapshot, entries: [] },
      lost: undefined,
      generation: undefined,
    };
  }

  /** Until the end of all trouble, when its host is taken away. */
  #lie(): void {
    const { world, random } = this.#cluster;
    const agent = this.#cluster.leader();
    if (this.#isOver) return;
    if (agent === undefined) {
      world.after(reactionMs, () => this.#lie());
      return;
    }
    const lies = new LyingLeader({
      random: random.fork(),
      forge: () => this.#workload.forged(agent),
      onLie: (what) => {
        world.note(`${agent.name} lies: ${what}`);
        world.meet(`a lie of a leader: ${what}`);
      },
    });
    agent.lie = (request) => lies.alter(request);
    this.#atHeal.push(() => {
      agent.lie = undefined;
      agent.crash();
      agent.isLost = true;
    });
  }

  #clone(of: ControlAgent, spanMs: number): void {
    const { world } = this.#cluster;
    if (of.run === undefined) return;
    const clone = this.#cluster.clone(of);
    world.meet('a clone');
    this.#cluster.start(clone);
    world.after(spanMs, () => {
      clone.crash();
      // Whoever came up last is whom the others reach.
      of.crash();
      this.#cluster.start(of);
    });
  }
}
