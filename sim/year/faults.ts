import { dayMs } from '../../src/base/units.ts';
import type { PackId } from '../../src/core/ids.ts';
import type { ShardFile } from '../data/shard-files.ts';
import type { Prng } from '../prng.ts';
import type { YearBackups } from './backups.ts';
import type { YearCluster } from './cluster.ts';
import type { YearHost } from './host.ts';
import { rotten, spans, type YearRates } from './rates.ts';
import { stepMs } from './steps.ts';
import type { YearWatch } from './watch.ts';

export type FaultKind = keyof YearRates;

const yearMs = 365 * dayMs;
const million = 1_000_000;

/** Draws, at each step and for each host, whether something goes wrong. */
export class YearFaults {
  readonly #cluster: YearCluster;
  readonly #backups: YearBackups;
  readonly #watch: YearWatch;
  readonly #rates: YearRates;
  readonly #random: Prng;
  readonly counts: Record<FaultKind, number> = { disk: 0, site: 0, rot: 0, down: 0, partition: 0 };

  constructor(options: {
    cluster: YearCluster;
    backups: YearBackups;
    watch: YearWatch;
    rates: YearRates;
  }) {
    this.#cluster = options.cluster;
    this.#backups = options.backups;
    this.#watch = options.watch;
    this.#rates = options.rates;
    this.#random = options.cluster.world.random.fork();
  }

  step(): void {
    for (const host of this.#cluster.hosts) {
      for (const kind of ['disk', 'site', 'rot', 'down'] as const) {
        if (!this.#happens(this.#rates[kind])) continue;
        this.counts[kind]++;
        if (kind === 'rot') this.#rot(host);
        else this.#takeDown(host, kind);
      }
    }
    if (this.#happens(this.#rates.partition)) this.#split();
    const { partition, nowMs } = this.#cluster;
    if (partition !== undefined && partition.untilMs <= nowMs) this.#cluster.partition = undefined;
  }

  #happens(perYear: number): boolean {
    return this.#random.below(million) < (perYear * stepMs * million) / yearMs;
  }

  /** Short ones more often: as many up to twice as long as from there to four times. */
  #span({ min, max }: { readonly min: number; readonly max: number }): number {
    return Math.round(min * (max / min) ** (this.#random.below(million) / million));
  }

  #takeDown(host: YearHost, kind: 'disk' | 'site' | 'down'): void {
    const untilMs = this.#cluster.nowMs + this.#span(spans[kind]);
    host.downUntilMs = Math.max(host.downUntilMs, untilMs);
    host.stop();
    if (kind === 'down') return;
    const packs = new Set<PackId>();
    for (const { pack } of host.disk.shards.files.values()) packs.add(pack);
    host.disk.empty();
    if (host === this.#cluster.source) this.#backups.loseOutbox();
    this.#watch.harm({ kind, host, packs, files: new Set() });
  }

  #rot(host: YearHost): void {
    const all = [...host.disk.shards.files.values()];
    if (all.length === 0) return;
    const files = new Set<ShardFile>();
    for (let i = this.#random.between(rotten.min, rotten.max); i > 0; i--) {
      const file = this.#random.pick(all);
      if (host.disk.isGood(file)) host.disk.rot(file, this.#random.below(1_000_000));
      files.add(file);
    }
    const packs = new Set([...files].map(({ pack }) => pack));
    this.#watch.harm({ kind: 'rot', host, packs, files });
  }

  #split(): void {
    if (this.#cluster.partition !== undefined) return;
    this.counts.partition++;
    const sites = this.#cluster.hosts.map(({ site }) => site);
    const some = new Set(sites.filter(() => this.#random.chance(500)));
    const untilMs = this.#cluster.nowMs + this.#span(spans.partition);
    this.#cluster.partition = { sites: some, untilMs };
  }

  /** Everybody is there, and reaches everybody. */
  heal(): void {
    const { nowMs, hosts } = this.#cluster;
    this.#cluster.partition = undefined;
    for (const host of hosts) host.downUntilMs = Math.min(host.downUntilMs, nowMs);
  }
}
