import type { ControlAgent } from './agent.ts';
import type { ControlCluster } from './cluster.ts';
import type { ControlSeen } from './observation.ts';
import { type Disaster, Disasters, isDisaster } from './disasters.ts';
import type { ControlFault } from './plan.ts';
import type { ControlWorkload } from './workload.ts';

type Trouble = Exclude<ControlFault, Disaster>;

/** A plan must come to its promotion meanwhile. */
const snareMsMin = 6000;
const usualSyncMs = { min: 1, max: 20 };

/** Makes the trouble of a plan happen. */
export class ControlFaults {
  readonly #cluster: ControlCluster;
  /** Dies after its next word as a coordinator. */
  #trap: Extract<ControlFault, { kind: 'crash-coordinator' }> | undefined;
  /** Cuts off the next holder whose dataset a plan takes elsewhere. */
  #snare: Extract<ControlFault, { kind: 'isolate-holder' }> | undefined;
  #isOver = false;
  readonly #disasters: Disasters;

  constructor(cluster: ControlCluster, workload: ControlWorkload) {
    this.#cluster = cluster;
    this.#disasters = new Disasters(cluster, workload);
    for (const agent of cluster.agents) agent.disk.device.syncMs = usualSyncMs;
    for (const fault of cluster.plan.faults) {
      cluster.world.after(fault.atMs, () => {
        if (!this.#isOver) this.#apply(fault);
      });
    }
    cluster.listen((seen) => {
      this.#spring(seen);
      this.#ensnare(seen);
    });
  }

  /** Somebody is still to come back. */
  get isOpen(): boolean {
    return this.#disasters.isOpen;
  }

  /** Ends all trouble: everybody runs and reaches everybody, and clocks are right. */
  heal(): void {
    this.#isOver = true;
    this.#trap = undefined;
    this.#snare = undefined;
    this.#disasters.heal();
    const { agents, internet } = this.#cluster;
    internet.mendAll();
    this.#calm();
    for (const agent of agents) {
      agent.ratePerMille = 1000;
      agent.disk.device.isFull = false;
      agent.disk.device.syncMs = usualSyncMs;
      agent.resume();
      this.#cluster.start(agent);
    }
  }

  #apply(fault: ControlFault): void {
    const { world } = this.#cluster;
    world.note(`fault ${JSON.stringify(fault)}`);
    world.meet(`fault ${fault.kind}`);
    if (isDisaster(fault)) this.#disasters.apply(fault);
    else this.#trouble(fault);
  }

  #trouble(fault: Trouble): void {
    const { world, internet } = this.#cluster;
    switch (fault.kind) {
      case 'crash-leader':
        this.#crash(this.#cluster.leader(), fault.spanMs);
        return;
      case 'pause-leader':
        this.#pause(this.#cluster.leader(), fault.spanMs);
        return;
      case 'isolate-leader':
        this.#isolate(this.#cluster.leader(), fault.spanMs);
        return;
      case 'crash-coordinator':
        this.#trap = fault;
        return;
      case 'isolate-holder':
        this.#snare = fault;
        return;
      case 'split':
        this.#split(fault.mask, fault.spanMs);
        return;
      case 'weather':
        internet.lossPerMille = fault.lossPerMille;
        internet.delayMs = { min: 1, max: fault.delayMaxMs };
        world.after(fault.spanMs, () => this.#calm());
        return;
      default:
        this.#applyTo(this.#agent(fault.agent), fault);
    }
  }

  #applyTo(agent: ControlAgent, fault: Extract<Trouble, { readonly agent: number }>): void {
    const { world, internet } = this.#cluster;
    const { device } = agent.disk;
    switch (fault.kind) {
      case 'crash':
        this.#crash(agent, fault.spanMs);
        return;
      case 'pause':
        this.#pause(agent, fault.spanMs);
        return;
      case 'damage':
        this.#damage(agent, fault.spanMs);
        return;
      case 'slow-disk':
        device.syncMs = { min: 50, max: 900 };
        world.after(fault.spanMs, () => {
          device.syncMs = usualSyncMs;
        });
        return;
      case 'full-disk':
        device.isFull = true;
        world.after(fault.spanMs, () => {
          device.isFull = false;
          if (agent.hasStopped) this.#cluster.start(agent);
        });
        return;
      case 'clock':
        agent.ratePerMille = fault.ratePerMille;
        agent.skewMs = fault.skewMs;
        return;
      case 'cut': {
        const to = this.#agent(fault.to);
        internet.cut(agent.person.peerKey, to.person.peerKey);
        world.after(fault.spanMs, () => internet.mend(agent.person.peerKey, to.person.peerKey));
      }
    }
  }

  #agent(number: number): ControlAgent {
    const { agents } = this.#cluster;
    return agents[number % agents.length] as ControlAgent;
  }

  #crash(agent: ControlAgent | undefined, spanMs: number): void {
    if (agent?.run === undefined) return;
    agent.crash();
    this.#cluster.world.after(spanMs, () => this.#cluster.start(agent));
  }

  #pause(agent: ControlAgent | undefined, spanMs: number): void {
    if (agent?.run === undefined) return;
    agent.pause();
    this.#cluster.world.after(spanMs, () => agent.resume());
  }

  /** One entry cannot be read again; only while all others are whole, and enough vote: else a decree is needed. */
  #damage(agent: ControlAgent, spanMs: number): void {
    const { agents, world } = this.#cluster;
    const { log } = agent.disk;
    const isSpoilt = agents.some(({ disk }) => disk.log.lostUpTo !== undefined);
    // While the first voters are being added, each of two is needed, also one that does not know it yet.
    const isNeeded = agents.some(({ disk: { log: one } }) => {
      const { voters } = one.configBefore(one.lastIndex + 1);
      return one.hard.term > 0 && voters.length < 3;
    });
    if (isSpoilt || isNeeded || log.entries.length === 0) return;
    agent.crash();
    const depth = world.random.below(Math.min(5, log.entries.length));
    log.damage(log.lastIndex - depth);
    world.after(spanMs, () => this.#cluster.start(agent));
  }

  #split(mask: number, spanMs: number): void {
    const { agents, internet, world } = this.#cluster;
    agents.forEach((from, i) => {
      agents.forEach((to, j) => {
        if (((mask >> i) & 1) === ((mask >> j) & 1)) return;
        internet.cut(from.person.peerKey, to.person.peerKey);
        world.after(spanMs, () => internet.mend(from.person.peerKey, to.person.peerKey));
      });
    });
  }

  #isolate(agent: ControlAgent | undefined, spanMs: number): void {
    if (agent !== undefined) this.#split(1 << this.#cluster.agents.indexOf(agent), spanMs);
  }

  #ensnare(seen: ControlSeen): void {
    if (this.#snare === undefined || seen.kind !== 'applied') return;
    const { body, outcome } = seen.command;
    if (body.kind !== 'mark' || body.outcome !== 'done' || outcome.outcome !== 'applied') return;
    const { plans, incarnations } = seen.control.state;
    const { plan } = plans.runOf(body)?.record ?? {};
    for (const step of plan?.steps ?? []) {
      if (step.kind !== 'promote' || !step.after.includes(body.step)) continue;
      const id = plan?.datasets.find(({ name }) => name === step.dataset)?.id;
      const known = id && incarnations.of(id);
      const agent = known?.state === 'live' && known.holder && this.#cluster.of(known.holder);
      if (!agent || agent.person.descriptor.site === plan?.target.site) continue;
      const spanMs = Math.max(this.#snare.spanMs, snareMsMin);
      this.#snare = undefined;
      this.#cluster.world.meet('the host of a live copy cut off before a promotion');
      this.#isolate(agent, spanMs);
      return;
    }
  }

  #calm(): void {
    this.#cluster.internet.lossPerMille = 0;
    this.#cluster.internet.delayMs = { min: 1, max: 40 };
  }

  #spring(seen: ControlSeen): void {
    if (this.#trap === undefined || seen.kind !== 'applied') return;
    const { body } = seen.command;
    if (body.kind !== 'mark' && body.kind !== 'assign' && body.kind !== 'promote') return;
    const { plans } = seen.control.state;
    const coordinator = plans.runOf(body)?.run.assignment?.coordinator;
    if (coordinator !== seen.agent) return;
    const { delayMs, spanMs } = this.#trap;
    this.#trap = undefined;
    const agent = this.#cluster.of(coordinator);
    this.#cluster.world.after(delayMs, () => this.#crash(agent, spanMs));
  }
}
