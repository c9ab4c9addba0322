import { dayMs, hourMs } from '../../src/base/units.ts';
import type { PackEntry } from '../../src/core/format/facts.ts';
import type { Prng } from '../prng.ts';
import { dataset, source } from './cast.ts';
import type { KeepingCluster } from './cluster.ts';
import type { Shard } from './disk.ts';
import type { KeepingHost } from './host.ts';
import { packNumber, type Snapshot, snapshotOf } from './snapshot.ts';

type Parcel = { readonly host: KeepingHost; readonly shard: Shard; readonly entry: PackEntry };

/** The source: it backs up a few times a day, uses what it has stored before, and is cut off now and then. */
export class Backups {
  readonly #cluster: KeepingCluster;
  readonly #random: Prng;
  readonly #first: number;
  #packs = 0;
  /** What the source believes to be stored. */
  readonly #index = new Map<string, PackEntry>();
  #outbox: Parcel[] = [];
  #nextMs = 0;
  /** A backup under way: it was begun with these, and signs then. */
  #underWay: { readonly packs: readonly PackEntry[]; readonly signMs: number } | undefined;

  constructor(cluster: KeepingCluster) {
    this.#cluster = cluster;
    this.#random = cluster.world.random.fork();
    this.#first = this.#random.pick([0, 4]);
  }

  async step(): Promise<void> {
    this.#deliver();
    const { nowMs } = this.#cluster;
    if (this.#underWay !== undefined && nowMs >= this.#underWay.signMs) await this.#sign();
    if (this.#underWay !== undefined || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + this.#random.pick([6, 12, 24, 36]) * hourMs;
    await this.#begin();
  }

  async #begin(): Promise<void> {
    const random = this.#random;
    await this.#forgetExpired();
    const known = [...this.#index.values()];
    const used = known.filter(() => random.chance(known.length > 8 ? 400 : 700));
    const made = Array.from({ length: random.between(1, 3) }, () => this.#newPack());
    if (random.chance(150)) {
      this.#cluster.world.meet('a backup that was cut off');
      return;
    }
    for (const entry of made) this.#index.set(entry.pack, entry);
    const signMs = this.#cluster.nowMs + random.pick([0, 0, 6, 40]) * hourMs;
    this.#underWay = { packs: [...used, ...made], signMs };
  }

  #newPack(): PackEntry {
    const { hosts, placedMs, nowMs } = this.#cluster;
    const entry = packNumber(++this.#packs, this.#random.chance(700));
    placedMs.set(entry.pack, nowMs);
    // Of the first site one host holds the shards, and signs; copies lie at all of them.
    const first = this.#first;
    for (const [i, host] of hosts.entries()) {
      if (entry.k > 1 && (i === 0 || i === 4) && i !== first) continue;
      const index = this.#cluster.indexAt(host, entry.k);
      this.#outbox.push({ host, entry, shard: { pack: entry.pack, index, size: entry.size } });
    }
    this.#deliver();
    return entry;
  }

  #deliver(): void {
    this.#outbox = this.#outbox.filter(({ host, shard, entry }) => {
      const head = { ...entry, index: shard.index, packSize: entry.size };
      return !host.take(shard, { ...head, dataset, writer: source.agentKey });
    });
  }

  async #forgetExpired(): Promise<number> {
    const { packUse } = this.#cluster.source.run ?? {};
    if (packUse === undefined) return 0;
    const found = await packUse.unneeded(dataset, (pack) => this.#index.has(pack));
    if ('unknown' in found) return 0;
    for (const pack of found.packs.keys()) this.#index.delete(pack);
    return found.packs.size;
  }

  async #sign(): Promise<void> {
    const { packs } = this.#underWay ?? { packs: [] };
    this.#underWay = undefined;
    const expired = await this.#forgetExpired();
    if (expired > 0 && packs.some(({ pack }) => !this.#index.has(pack))) {
      this.#cluster.world.meet('a backup whose packs have expired');
      return;
    }
    const { snapshots, facts, nowMs, source: host } = this.#cluster;
    const sequence = snapshots.length + 1;
    const tags = this.#random.chance(50) ? ['gold'] : [];
    const snapshot: Snapshot = snapshotOf(facts, { sequence, packs, madeMs: nowMs, tags });
    snapshots.push(snapshot);
    host.hear(snapshot);
    this.#cluster.world.meet('snapshot');
    this.#cluster.note(`snapshot ${sequence} needs ${packs.length} packs`);
  }

  /** Snapshots that are too old to have been under way when all trouble ended. */
  get isIdle(): boolean {
    return this.#underWay === undefined && this.#outbox.length === 0;
  }

  /** No backups for so long. */
  rest(days: number): void {
    this.#nextMs = this.#cluster.nowMs + days * dayMs;
  }
}
