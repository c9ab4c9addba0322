import type { DataAgent } from './agent.ts';
import type { DataCluster } from './cluster.ts';
import { Harm } from './harm.ts';
import type { DataSeen } from './observation.ts';
import type { DataFault } from './plan.ts';

const usualSyncMs = { min: 1, max: 20 };

/** Makes the trouble of a plan happen. */
export class DataFaults {
  readonly #cluster: DataCluster;
  readonly #harm: Harm;
  #signerTrap: Extract<DataFault, { kind: 'crash-signer' }> | undefined;
  #backupTrap: Extract<DataFault, { kind: 'crash-backup' }> | undefined;
  #isOver = false;

  constructor(cluster: DataCluster) {
    this.#cluster = cluster;
    this.#harm = new Harm(cluster);
    for (const fault of cluster.plan.faults) {
      cluster.world.after(fault.atMs, () => {
        if (!this.#isOver) this.#apply(fault);
      });
    }
    cluster.listen((seen) => this.#spring(seen));
  }

  /** Ends all trouble: everybody runs and reaches everybody, and clocks are right. Who lies goes on lying. */
  heal(): void {
    this.#isOver = true;
    this.#signerTrap = undefined;
    this.#backupTrap = undefined;
    const { agents, clones, internet } = this.#cluster;
    internet.mendAll();
    this.#calm();
    for (const clone of clones) {
      clone.isGone = true;
      clone.crash();
    }
    for (const agent of agents) {
      agent.ratePerMille = 1000;
      agent.skewMs = 0;
      const { device, control } = agent.disk;
      device.failuresPerMille = 0;
      for (const one of [device, control.device]) {
        one.isFull = false;
        one.syncMs = usualSyncMs;
      }
      // Stores that have failed take nothing until the program starts anew.
      if (agent.hasFailed) agent.crash();
      agent.hasFailed = false;
      // Others have met the copy of it.
      if (clones.some(({ name }) => name === agent.name)) agent.crash();
      agent.startAgain();
    }
  }

  #apply(fault: DataFault): void {
    const { world, internet, weather } = this.#cluster;
    world.note(`fault ${JSON.stringify(fault)}`);
    world.meet(`fault ${fault.kind}`);
    switch (fault.kind) {
      case 'crash-backup':
        this.#backupTrap = fault;
        return;
      case 'crash-signer':
        this.#signerTrap = fault;
        return;
      case 'split':
        this.#split(fault.mask, fault.spanMs);
        return;
      case 'bridge':
        this.#split(fault.mask, fault.spanMs, this.#cluster.at(fault.agent));
        return;
      case 'swizzle':
        this.#swizzle(fault.mask, fault.spanMs);
        return;
      case 'weather':
        weather.resetPerMille = fault.resetPerMille;
        internet.doublePerMille = fault.resetPerMille * 2;
        internet.delayMs = { min: 1, max: fault.delayMaxMs };
        world.after(fault.spanMs, () => this.#calm());
        return;
      default:
        this.#applyTo(this.#cluster.at(fault.agent), fault);
    }
  }

  #applyTo(agent: DataAgent, fault: Extract<DataFault, { readonly agent: number }>): void {
    const { world } = this.#cluster;
    const { device, control } = agent.disk;
    const later = (run: () => void): void => {
      world.after(fault.spanMs, run);
    };
    switch (fault.kind) {
      case 'crash':
        this.#crash(agent, fault.spanMs);
        return;
      case 'stop':
        agent.stop().catch((error) => agent.options.onFailure(error));
        later(() => agent.startAgain());
        return;
      case 'slow-disk':
        device.syncMs = { min: 50, max: 1500 };
        later(() => {
          device.syncMs = usualSyncMs;
        });
        return;
      case 'full-disk':
        for (const one of [device, control.device]) one.isFull = true;
        later(() => {
          for (const one of [device, control.device]) one.isFull = false;
        });
        return;
      case 'failing-disk':
        device.failuresPerMille = 150;
        agent.hasFailed = true;
        later(() => {
          if (agent.hasFailed) this.#crash(agent, 500);
          agent.hasFailed = false;
          device.failuresPerMille = 0;
        });
        return;
      case 'lose-index':
        agent.crash();
        agent.disk.index.rollBack(undefined);
        later(() => agent.startAgain());
        return;
      case 'clock':
        agent.ratePerMille = fault.ratePerMille;
        agent.skewMs = fault.skewMs;
        return;
      case 'isolate':
        this.#split(1 << this.#cluster.agents.indexOf(agent), fault.spanMs);
        return;
      case 'cut':
        this.#cut(agent, this.#cluster.at(fault.to), fault.spanMs);
        return;
      case 'bridge':
        return;
      default:
        this.#harm.apply(agent, fault.kind, fault.spanMs);
    }
  }

  #crash(agent: DataAgent | undefined, spanMs: number): void {
    if (agent?.run === undefined) return;
    agent.crash();
    this.#cluster.world.after(spanMs, () => agent.startAgain());
  }

  #cut(from: DataAgent, to: DataAgent, spanMs: number): void {
    const { internet, world } = this.#cluster;
    const [a, b] = [from.person.peerKey, to.person.peerKey];
    if (a === b) return;
    internet.cut(a, b);
    world.after(spanMs, () => internet.mend(a, b));
  }

  #split(mask: number, spanMs: number, bridge?: DataAgent): void {
    const { agents } = this.#cluster;
    agents.forEach((from, i) => {
      agents.forEach((to, j) => {
        const isSame = ((mask >> i) & 1) === ((mask >> j) & 1);
        if (!isSame && from !== bridge && to !== bridge) this.#cut(from, to, spanMs);
      });
    });
  }

  #swizzle(mask: number, spanMs: number): void {
    const { agents, world, random } = this.#cluster;
    const chosen = agents.filter((_, i) => ((mask >> i) & 1) === 1);
    for (const agent of chosen) {
      world.after(random.below(spanMs), () => {
        if (!this.#isOver) this.#split(1 << agents.indexOf(agent), random.below(spanMs) + 1);
      });
    }
  }

  #calm(): void {
    this.#cluster.weather.resetPerMille = 0;
    this.#cluster.internet.doublePerMille = 0;
    this.#cluster.internet.delayMs = { min: 1, max: 40 };
  }

  /** To be told of each backup that begins. */
  backupBegins(source: DataAgent): void {
    const trap = this.#backupTrap;
    if (trap === undefined) return;
    this.#backupTrap = undefined;
    this.#cluster.world.after(trap.delayMs, () => {
      if (!this.#isOver) this.#crash(source, trap.spanMs);
    });
  }

  #spring(seen: DataSeen): void {
    const trap = this.#signerTrap;
    if (trap === undefined || seen.kind !== 'statement') return;
    const { body, writer } = seen.event.statement;
    if (body.kind !== 'receipt' || writer !== seen.agent.agentKey) return;
    this.#signerTrap = undefined;
    this.#cluster.world.after(trap.delayMs, () => {
      if (!this.#isOver) this.#crash(seen.agent, trap.spanMs);
    });
  }
}
