import { dayMs, hourMs } from '../../src/base/units.ts';
import type { PackEntry } from '../../src/core/format/facts.ts';
import { hasSequence } from '../../src/core/policy/sequence-ranges.ts';
import { discarded } from '../../src/core/protocol/control/fate.ts';
import { Backups } from './backups.ts';
import { dataset, source } from './cast.ts';
import { KeepingCluster, type KeepingViolation } from './cluster.ts';
import { shardName } from './disk.ts';
import { KeepingFaults } from './faults.ts';
import type { KeepingHost } from './host.ts';
import { Operators } from './operators.ts';
import { type KeepingParts, shippedParts } from './parts.ts';
import { type KeepingPlan, keepingPlanOf } from './plan.ts';

export type KeepingRunOptions = {
  /** In the place of what is shipped: a mutant. */
  readonly parts?: KeepingParts | undefined;
  /** Parts of the plan, in the place of what the seed draws. */
  readonly plan?: Partial<KeepingPlan> | undefined;
};

export type KeepingRun = {
  readonly violation: KeepingViolation | undefined;
  readonly traceHash: string;
  readonly tail: readonly string[];
  readonly days: number;
  readonly snapshots: number;
  readonly met: ReadonlyMap<string, number>;
};

/** Shorter than a window of deletion, so that each has a look in it. */
const stepMs = 4 * hourMs;
const settleStepMs = 6 * hourMs;
/** Longer than any lock, veto, trash, grace and round of deletion together. */
const settleDays = 40;
const idleTimeMs = 12 * hourMs;

/** One seed: weeks of backups, expiry and trouble; then none, and what is gone must be gone from every disk. */
export async function runKeepingSeed(
  seed: number,
  options: KeepingRunOptions = {},
): Promise<KeepingRun> {
  const plan = { ...keepingPlanOf(seed), ...options.plan };
  const cluster = new KeepingCluster(seed, options.parts ?? shippedParts);
  await new Play(cluster, plan).play();
  const { violation, world, nowMs } = cluster;
  const snapshots = cluster.snapshots.length;
  const about = { traceHash: world.trace.digest, tail: world.trace.tail(), met: world.met };
  return { ...about, violation, snapshots, days: Math.round(nowMs / dayMs) };
}

class Play {
  readonly #cluster: KeepingCluster;
  readonly #plan: KeepingPlan;
  readonly #faults: KeepingFaults;
  readonly #backups: Backups;
  readonly #operators: Operators;

  constructor(cluster: KeepingCluster, plan: KeepingPlan) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#faults = new KeepingFaults(cluster, plan);
    this.#backups = new Backups(cluster);
    this.#operators = new Operators(cluster, plan);
  }

  async play(): Promise<void> {
    const cluster = this.#cluster;
    for (const host of [...cluster.hosts, cluster.source]) await host.start();
    this.#operators.setPolicy();
    const endMs = this.#plan.days * dayMs;
    while (cluster.isClean && cluster.nowMs < endMs) {
      cluster.nowMs += stepMs;
      await this.#faults.step();
      await this.#backups.step();
      this.#operators.step();
      await this.#everybody();
    }
    cluster.note('all trouble is over');
    await this.#faults.heal();
    await this.#settle();
  }

  async #settle(): Promise<void> {
    const cluster = this.#cluster;
    const endMs = cluster.nowMs + settleDays * dayMs;
    this.#backups.rest(2 * settleDays);
    while (cluster.isClean && cluster.nowMs < endMs) {
      cluster.nowMs += settleStepMs;
      await this.#backups.step();
      if (cluster.nowMs % dayMs < settleStepMs) this.#operators.releaseAll();
      await this.#everybody();
    }
    if (cluster.isClean) cluster.look('settled');
  }

  async #everybody(): Promise<void> {
    const cluster = this.#cluster;
    for (const host of cluster.hosts) this.#listen(host);
    this.#anchor();
    this.#sayTime();
    if (cluster.nowMs % dayMs < stepMs) this.#operators.thaw();
    for (const host of cluster.hosts) {
      if (!cluster.isClean) return;
      await host.round();
    }
  }

  /** Statements arrive, in their order, and are signed for. */
  #listen(host: KeepingHost): void {
    const { nowMs, snapshots } = this.#cluster;
    if (host.run === undefined || host.deafUntilMs > nowMs) return;
    for (const snapshot of snapshots) {
      host.hear(snapshot);
      const { hash, manifest } = snapshot.record;
      if (this.#cluster.witnessed(hash).has(host.person.agentKey)) continue;
      const fate = host.state.fates.of(source.agentKey, dataset);
      if (fate !== undefined && hasSequence(discarded(fate), manifest.sequence)) continue;
      const has = ({ pack, k }: PackEntry): boolean => {
        const name = shardName({ pack, index: this.#cluster.indexAt(host, k) });
        return host.disk.held.has(name) || host.disk.trash.has(name);
      };
      if (snapshot.packs.every(has)) this.#cluster.sign(host, hash);
    }
  }

  /** A voter anchors the newest that any of them knows. */
  #anchor(): void {
    const { hosts, control } = this.#cluster;
    const there = hosts.slice(0, 3).filter((host) => host.run !== undefined && !host.isCutOff);
    const anchored = control.state.anchors.of(source.agentKey, dataset)?.head.sequence ?? 0;
    const heads = there.flatMap((host) =>
      host
        .records()
        .slice(-1)
        .map((record) => ({ host, record })),
    );
    const newest = heads.sort((x, y) => y.record.manifest.sequence - x.record.manifest.sequence)[0];
    if (newest === undefined || newest.record.manifest.sequence <= anchored) return;
    const { hash } = newest.record;
    const snapshot = this.#cluster.snapshots.find(({ record }) => record.hash === hash);
    if (snapshot === undefined) return;
    control.say(newest.host.name, { kind: 'anchor', manifests: [snapshot.envelope] });
  }

  /** Voters say what time it is for them: now and then, and when something waits. */
  #sayTime(): void {
    const { hosts, control } = this.#cluster;
    for (const host of hosts.slice(0, 3)) {
      const nowMs = host.run?.clock.nowMs();
      if (nowMs === undefined || host.isCutOff) continue;
      const { time } = control.state;
      const { agentKey } = host.person;
      const word = time.of(agentKey);
      const isAwaited = time.isAwaited(agentKey, control.state.waits(), nowMs);
      const isOld = word === undefined || nowMs - word.timeMs >= idleTimeMs;
      if (isAwaited || isOld) control.say(host.name, { kind: 'time', logTimeMs: nowMs });
    }
  }
}
