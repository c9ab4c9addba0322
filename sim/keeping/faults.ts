import { dayMs } from '../../src/base/units.ts';
import type { Prng } from '../prng.ts';
import { epochMs } from '../world.ts';
import { dataset, everybody, source } from './cast.ts';
import type { KeepingCluster } from './cluster.ts';
import type { KeepingHost } from './host.ts';
import type { KeepingFault, KeepingPlan } from './plan.ts';
import { signedManifest } from './snapshot.ts';

/** The voter that may lie, and a host at the site of the one that leads. */
const [liar, twin] = ['cyd', 'abe'] as const;

/** Brings the trouble of a plan about, and ends it. */
export class KeepingFaults {
  readonly #cluster: KeepingCluster;
  readonly #plan: KeepingPlan;
  readonly #random: Prng;
  readonly #waiting: KeepingFault[];
  /** The newest snapshot beside which the liar has put others. */
  #forgedAt = 0;
  #ends: { readonly atMs: number; readonly end: () => Promise<void> }[] = [];

  constructor(cluster: KeepingCluster, plan: KeepingPlan) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = cluster.world.random.fork();
    this.#waiting = [...plan.faults];
    if (!plan.hasLiar) return;
    // Whoever leads has a twin at its site that agrees before anybody has reckoned.
    cluster.control.onSaid(({ id, body, outcome }) => {
      if (body.kind !== 'expire' || outcome !== 'applied' || !this.#random.chance(300)) return;
      cluster.control.say(twin, { kind: 'confirm-expiry', expiry: id });
    });
  }

  async step(): Promise<void> {
    const { nowMs } = this.#cluster;
    const due = this.#ends.filter(({ atMs }) => atMs <= nowMs);
    this.#ends = this.#ends.filter(({ atMs }) => atMs > nowMs);
    for (const { end } of due) await end();
    while ((this.#waiting[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const fault = this.#waiting.shift();
      if (fault !== undefined) await this.#begin(fault);
    }
    this.#fork();
    if (this.#plan.hasLiar) this.#lie();
  }

  /** Everything is as it should be from now on. */
  async heal(): Promise<void> {
    this.#waiting.length = 0;
    const ends = this.#ends;
    this.#ends = [];
    for (const { end } of ends) await end();
    for (const host of this.#cluster.hosts) {
      host.deafUntilMs = 0;
      if (host.run === undefined) await host.start();
    }
  }

  async #begin(fault: KeepingFault): Promise<void> {
    const { hosts, world, nowMs } = this.#cluster;
    const host = hosts[fault.host] as KeepingHost;
    world.meet(fault.kind);
    this.#cluster.note(`${host.name}: ${fault.kind} for ${fault.spanMs / 3_600_000} hours`);
    const later = (end: () => Promise<void>): void => {
      this.#ends.push({ atMs: nowMs + fault.spanMs, end });
    };
    switch (fault.kind) {
      case 'crash':
        host.crash();
        return host.start();
      case 'away':
        host.crash();
        return later(async () => {
          if (host.run === undefined) await host.start();
        });
      case 'deaf':
        host.deafUntilMs = nowMs + fault.spanMs;
        return undefined;
      case 'cut-off':
        return host.cutOff(fault.spanMs);
      case 'full-disk':
        host.disk.isFull = true;
        return later(async () => {
          host.disk.isFull = false;
        });
      case 'clock':
        await this.#setClock(host, fault.byMs);
        return later(() => this.#setClock(host, -fault.byMs));
    }
  }

  /** A program that runs looks at its clock within seconds. */
  async #setClock(host: KeepingHost, byMs: number): Promise<void> {
    if (host.disk.isFull) return;
    host.skewMs += byMs;
    if (host.run === undefined) return;
    if (Math.abs(byMs) > dayMs) this.#cluster.see({ kind: 'jump', host });
    await host.run.clock.step();
  }

  /** Who hears anything hears of it. */
  #fork(): void {
    const { forkMs } = this.#plan;
    const { nowMs, hosts, world } = this.#cluster;
    if (forkMs === undefined || nowMs < forkMs) return;
    for (const host of hosts) {
      if (host.knowsFork || host.run === undefined || host.deafUntilMs > nowMs) continue;
      host.knowsFork = true;
      world.meet('a host that hears of two histories');
    }
  }

  /** A voter fixes the snapshot that is to come, and another one in the place of the newest: once for each. */
  #forge(newest: number): void {
    if (newest <= this.#forgedAt) return;
    this.#forgedAt = newest;
    for (const sequence of [newest, newest + 1]) {
      const secret = everybody.find(({ name }) => name === liar)?.statementSecret;
      const { bytes } = signedManifest(sequence, ['forged'], secret);
      this.#cluster.control.say(liar, { kind: 'anchor', manifests: [bytes] });
    }
  }

  /** A voter asks for anything, says any time, and agrees with everybody; so does a host next to the leader. */
  #lie(): void {
    const { control, snapshots } = this.#cluster;
    const random = this.#random;
    const anchored = control.state.anchors.of(source.agentKey, dataset)?.head;
    if (anchored !== undefined) this.#forge(anchored.sequence);
    if (anchored !== undefined && snapshots.length > 1 && random.chance(150)) {
      const first = random.below(snapshots.length) + 1;
      const ranges = [{ first, last: first + random.below(3) }];
      control.say(liar, { kind: 'expire', head: anchored, ranges });
    }
    for (const { id, stage } of this.#cluster.fate()?.expiries ?? []) {
      if (stage === 'proposed' && random.chance(300)) {
        control.say(random.pick([liar, twin]), { kind: 'confirm-expiry', expiry: id });
      }
    }
    if (!random.chance(200)) return;
    const aheadMs = this.#cluster.nowMs + random.pick([-9, 3, 400]) * dayMs;
    control.say(liar, { kind: 'time', logTimeMs: epochMs + Math.max(0, aheadMs) });
  }
}
