import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import { fleetHosts } from './hosts.ts';
import type { Moments } from './moments.ts';
import type { Network } from './network.ts';
import { cutsOf } from './partition.ts';
import type { Aim, Cell, PartitionScheme } from './scheme.ts';
import type { SeededRandom } from './seeded-random.ts';
import { answered, type Watch } from './watch.ts';

export type Failover = {
  /** From the kill of the leader until a survivor knew another whom a quorum has confirmed. */
  readonly ms: number;
  /** Nothing else was wrong meanwhile: the others ran, and heard each other. */
  readonly isCalm: boolean;
};

export type TroubleTools = {
  readonly fleet: Fleet;
  readonly watch: Watch;
  readonly network: Network;
  readonly random: SeededRandom;
};

const flaps = 5;
const failoverTimeoutMs = 30_000;

/** Makes trouble for a fleet amid a plan. Everything is well again after `heal`. */
export class Trouble {
  readonly #tools: TroubleTools;
  readonly #target: string;
  readonly #unplugged = new Set<number>();
  readonly #restarts = new Set<Promise<void>>();
  readonly #measures: Promise<void>[] = [];
  /** Hosts whose power is off: nobody starts them again but who has switched them off. */
  readonly keptOff = new Set<string>();
  readonly failovers: Failover[] = [];
  /** Cells that kills have really hit. */
  readonly hits: Cell[] = [];
  /** What was done, in words, and when. */
  readonly told: string[] = [];
  #startMs = performance.now();

  /** `target`: the host at which the plan restores. */
  constructor(tools: TroubleTools, target: string) {
    this.#tools = tools;
    this.#target = target;
  }

  begin(): void {
    this.#startMs = performance.now();
  }

  tell(what: string): void {
    const atMs = Math.round(performance.now() - this.#startMs);
    this.told.push(`${atMs} ms: ${what}`);
  }

  async partition(scheme: PartitionScheme, moments: Moments): Promise<void> {
    const { shape, during, latestMs, forMs } = scheme;
    await Promise.race([moments.until(during, 'during'), pause(latestMs)]);
    const { network, random } = this.#tools;
    const places = { leader: this.#indexOf(this.#leader), target: this.#indexOf(this.#target) };
    const cuts = cutsOf(shape, places, random);
    const ways = cuts.map(({ from, to }) => `${from}>${to}`).join(' ');
    this.tell(`partition ${shape} for ${forMs} ms (${ways})`);
    if (shape === 'unplugged') {
      this.#unplugged.add(places.leader);
      network.plug(places.leader, 'down');
      await pause(forMs);
      return this.#plugAll();
    }
    const flapMs = forMs / flaps / 2;
    for (let i = 0; shape === 'flapping' && i < flaps; i++) {
      network.cut('partition', cuts);
      await pause(flapMs);
      network.cut('partition', []);
      await pause(flapMs);
    }
    if (shape === 'flapping') return;
    network.cut('partition', cuts);
    await pause(forMs);
    if (!scheme.staysCut) network.cut('partition', []);
  }

  get #leader(): string {
    return this.#tools.watch.leader ?? fleetHosts[0]?.name ?? '';
  }

  #indexOf(name: string): number {
    return fleetHosts.findIndex((host) => host.name === name);
  }

  /** Kills whom the aim means, at its moment. Resolves when that is done, or the moment will not come. */
  async shoot(aim: Aim, moments: Moments): Promise<void> {
    if (!(await moments.until(aim.step, aim.moment))) return;
    if (aim.delayMs > 0) await pause(aim.delayMs);
    const name = aim.victim === 'leader' ? this.#leader : this.#target;
    if (!this.#tools.fleet.isRunning(name)) return;
    const moment = moments.now(aim.step);
    const isLeader = name === this.#leader;
    await this.killAndRestart(name, aim.backAfterMs);
    const what = `kill ${name} (${aim.victim}) ${moment ?? 'not'} ${aim.step}`;
    this.tell(`${what}, start it after ${aim.backAfterMs} ms`);
    if (moment === undefined) return;
    const { step } = aim;
    if (isLeader) this.hits.push({ step, moment, victim: 'leader' });
    if (name === this.#target) this.hits.push({ step, moment, victim: 'target' });
  }

  async killAndRestart(name: string, afterMs: number): Promise<void> {
    await this.kill(name);
    const restart = pause(afterMs).then(() => this.start(name));
    restart.catch(() => undefined);
    this.#restarts.add(restart);
    void restart.finally(() => this.#restarts.delete(restart)).catch(() => undefined);
  }

  async kill(name: string): Promise<void> {
    const { fleet, network, watch } = this.#tools;
    const isCalm =
      network.isWhole && this.#unplugged.size === 0 && fleet.awake.length === fleetHosts.length;
    const isLeader = watch.leader === name && fleet.isRunning(name);
    await fleet.kill(name);
    watch.forget(name);
    if (isLeader) this.#measures.push(this.#measure(watch.term, isCalm));
  }

  async #measure(term: number, isCalm: boolean): Promise<void> {
    const { fleet, network } = this.#tools;
    const startMs = performance.now();
    let isStillCalm = isCalm;
    while (performance.now() - startMs < failoverTimeoutMs) {
      const names = fleet.awake.map(({ name }) => name);
      isStillCalm &&= network.isWhole && this.#unplugged.size === 0;
      isStillCalm &&= names.length >= fleetHosts.length - 1;
      const isFound = await anyKnows(fleet, names, term);
      const ms = Math.round(performance.now() - startMs);
      if (isFound) return void this.failovers.push({ ms, isCalm: isStillCalm });
      await pause(20);
    }
  }

  async start(name: string): Promise<void> {
    if (this.#tools.fleet.isRunning(name) || this.keptOff.has(name)) return;
    await this.#tools.fleet.start(name);
  }

  async standStill(name: string, forMs: number): Promise<void> {
    this.tell(`pause ${name} for ${forMs} ms`);
    this.#tools.fleet.pause(name);
    await pause(forMs);
    this.#tools.fleet.resume(name);
  }

  #plugAll(): void {
    for (const host of this.#unplugged) this.#tools.network.plug(host, 'up');
    this.#unplugged.clear();
  }

  /** Everybody hears everybody, but who is cut off or switched off for reasons of its own. */
  mendNetwork(): void {
    this.#tools.network.cut('partition', []);
    this.#plugAll();
  }

  /** Everybody runs, but who is kept off. @throws when an agent cannot be started again */
  async allRun(): Promise<void> {
    this.tell('everybody is started');
    this.mendNetwork();
    while (this.#restarts.size > 0) await Promise.all(this.#restarts);
    for (const { name } of fleetHosts) await this.start(name);
    await Promise.all(this.#measures.splice(0));
  }
}

/** Whether any of them knows a leader of a later term, whom a quorum has confirmed. */
async function anyKnows(fleet: Fleet, names: readonly string[], term: number): Promise<boolean> {
  const asked = names.map(async (name) => {
    const report = await answered(fleet.api(name).coordinator(), 2_000);
    if (!report.isConfirmed || report.term <= term) throw new Error('not yet');
  });
  return Promise.any(asked).then(
    () => true,
    () => false,
  );
}

/** Whom the agents take for the leader; undefined when they know nobody. */
export async function leaderOf(fleet: Fleet): Promise<string | undefined> {
  const reports = await Promise.allSettled(
    fleet.awake.map(({ name }) => answered(fleet.api(name).coordinator(), 3_000)),
  );
  const known = reports.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const sure = known.filter(({ isConfirmed }) => isConfirmed);
  return (sure[0] ?? known.toSorted((a, b) => b.term - a.term)[0])?.leader;
}
