import { hourMs, minuteMs } from '../../src/base/units.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import { type Founding, foundingOf, people } from '../data/cast.ts';
import type { Prng } from '../prng.ts';
import { World } from '../world.ts';
import { YearHost } from './host.ts';
import type { YearParts } from './parts.ts';

/** Snapshots that are kept, of one a day: older ones have expired. */
export const keptSnapshots = 30;
export const surviveSites = 2;
export const siteCount = 8;
/** The policy's `siteLostAfter`: with the shipped quarter of an hour each outage of an evening would move 2.7 GiB. */
export const siteLostAfterMs = 12 * hourMs;
/** Statements arrive within seconds; who hears of one waits for what else is said. */
const hearMs = 15 * minuteMs;

/** Eight hosts at eight sites, what lies between them, and what a majority believes of who is lost. */
export class YearCluster {
  readonly world: World;
  readonly random: Prng;
  readonly parts: YearParts;
  readonly founding: Founding = foundingOf(siteCount, surviveSites);
  readonly facts = new Map<string, Uint8Array>();
  readonly hosts: YearHost[] = [];
  /** Bytes of a shard, of here. */
  readonly shardSize: number;
  nowMs = 0;
  /** Sites that do not reach the others, until then. */
  partition: { readonly sites: ReadonlySet<string>; readonly untilMs: number } | undefined;
  readonly #silentSinceMs = new Map<string, number>();
  #lost: ReadonlySet<string> = new Set();
  /** Two may know as many statements, and not the same. */
  #wereParted = false;

  private constructor(options: { seed: number; parts: YearParts; shardSize: number }) {
    this.world = new World(options.seed ^ 0x0a11ca5e);
    this.random = this.world.random.fork();
    this.parts = options.parts;
    this.shardSize = options.shardSize;
  }

  static async open(options: {
    seed: number;
    parts: YearParts;
    shardSize: number;
  }): Promise<YearCluster> {
    const cluster = new YearCluster(options);
    for (const person of people.slice(0, siteCount)) {
      const host = await YearHost.open(cluster, person);
      cluster.hosts.push(host);
      await host.start();
    }
    return cluster;
  }

  get source(): YearHost {
    return this.hosts[0] as YearHost;
  }

  /** Older than those that are kept. */
  readonly isDiscarded = ({ manifest }: ManifestRecord): boolean =>
    manifest.sequence <= this.newest - keptSnapshots;

  /** Sequence of the newest snapshot. */
  newest = 0;

  isReached(a: YearHost, b: YearHost): boolean {
    if (!a.isUp || !b.isUp || a.run === undefined || b.run === undefined) return false;
    const { partition } = this;
    return partition === undefined || partition.sites.has(a.site) === partition.sites.has(b.site);
  }

  /** Whoever reaches each other knows the same statements, and of whom a majority has lost sight. */
  async spread(): Promise<void> {
    const said = this.hosts.map(({ statements }) => statements);
    for (const [i, from] of this.hosts.entries()) {
      for (const [j, to] of this.hosts.entries()) {
        if (said[i] === said[j] && !this.#wereParted) continue;
        if (this.isReached(from, to)) await copyStatements(from, to);
      }
    }
    this.#wereParted = this.partition !== undefined;
    this.#judgeSites();
  }

  #judgeSites(): void {
    const majority = this.#majority();
    for (const host of this.hosts) {
      const { site } = host;
      if (majority.includes(host)) this.#silentSinceMs.delete(site);
      else if (!this.#silentSinceMs.has(site)) this.#silentSinceMs.set(site, this.nowMs);
    }
    if (majority.length === 0) return;
    const lost = [...this.#silentSinceMs].filter(([, ms]) => this.nowMs - ms >= siteLostAfterMs);
    const sites = new Set(lost.map(([site]) => site));
    if ([...sites].sort().join() !== [...this.#lost].sort().join()) this.#lost = sites;
    for (const host of majority) {
      if (host.lost === this.#lost) continue;
      host.lost = this.#lost;
      host.lookSoon();
    }
  }

  /** Those who reach more than half of all; a lost site counts on as a voter. */
  #majority(): YearHost[] {
    for (const host of this.hosts) {
      const group = this.hosts.filter((one) => one === host || this.isReached(host, one));
      if (host.run !== undefined && host.isUp && group.length > siteCount / 2) return group;
    }
    return [];
  }
}

/** Facts are there for all. */
async function copyStatements(from: YearHost, to: YearHost): Promise<void> {
  let isNew = false;
  for (const { writer, stream, sequence } of from.ledger.heads()) {
    const known = to.ledger.head(writer, stream)?.sequence ?? 0;
    if (known >= sequence) continue;
    isNew = true;
    for (const envelope of await from.ledger.read(writer, stream, known + 1, sequence - known)) {
      await to.ledger.ingest(envelope);
    }
  }
  if (isNew) to.hear(hearMs);
}
