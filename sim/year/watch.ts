import { equal } from '../../src/base/bytes.ts';
import { dayMs } from '../../src/base/units.ts';
import { reconstruct } from '../../src/core/coding/reed-solomon.ts';
import type { PackId } from '../../src/core/ids.ts';
import { type ShardFile, shardName } from '../data/shard-files.ts';
import { contentOf, type YearBackups, type YearPack } from './backups.ts';
import type { YearCluster } from './cluster.ts';
import type { YearHost } from './host.ts';

export type YearViolation = { readonly atMs: number; readonly rule: string; readonly text: string };

/** Damage to data: what it took, when somebody noticed, and when everything that it took was whole again. */
export type Harm = {
  readonly kind: 'disk' | 'site' | 'rot';
  readonly atMs: number;
  readonly host: YearHost;
  readonly packs: ReadonlySet<PackId>;
  /** Of rot, the files. */
  readonly files: ReadonlySet<ShardFile>;
  foundMs: number | undefined;
  mendedMs: number | undefined;
};

/** Longer than any round of reading back; a host that is away reads nothing meanwhile. */
const findMs = 33 * dayMs;
/** Away for good, until new hardware comes: see `spans`. Else nothing stays short for so long. */
const mendMs = 30 * dayMs;

/** Looks at all disks at once, as nobody in the cluster can, and says what must never be. */
export class YearWatch {
  readonly #cluster: YearCluster;
  readonly #backups: YearBackups;
  readonly harms: Harm[] = [];
  /** Packs that were once at more sites than it takes to read them. */
  readonly #committed = new Set<PackId>();
  readonly #shortSinceMs = new Map<PackId, number>();
  violation: YearViolation | undefined;
  /** The fewest shards beyond those that it takes, of any pack at any time. */
  spareMin = Number.POSITIVE_INFINITY;
  shortMsMax = 0;
  /** Hours times packs below full redundancy, and of all. */
  shortPackMs = 0;
  packMs = 0;
  #lookedMs = 0;
  /** Something has come to a disk, or gone from it, without a repair. */
  isDirty = true;

  constructor(cluster: YearCluster, backups: YearBackups) {
    this.#cluster = cluster;
    this.#backups = backups;
  }

  harm(harm: Pick<Harm, 'kind' | 'host' | 'packs' | 'files'>): void {
    const { nowMs: atMs } = this.#cluster;
    this.harms.push({ ...harm, atMs, foundMs: undefined, mendedMs: undefined });
    this.isDirty = true;
  }

  look(): void {
    const { nowMs } = this.#cluster;
    if (!this.isDirty && this.#shortSinceMs.size === 0) {
      this.packMs += (nowMs - this.#lookedMs) * this.#committed.size;
      this.#lookedMs = nowMs;
      this.#followHarms(this.#backups.kept());
      return;
    }
    this.isDirty = false;
    const good = this.#goodShards();
    const spanMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const kept = this.#backups.kept();
    for (const [pack, { entry }] of kept) {
      const count = good.get(pack)?.size ?? 0;
      if (count > entry.k) this.#committed.add(pack);
      if (!this.#committed.has(pack)) continue;
      this.packMs += spanMs;
      this.spareMin = Math.min(this.spareMin, count - entry.k);
      if (count < entry.k)
        this.fail('loss', `of pack ${pack.slice(0, 8)} ${count} shards are left`);
      if (count >= entry.k + entry.m) {
        this.#shortSinceMs.delete(pack);
        continue;
      }
      this.shortPackMs += spanMs;
      const sinceMs = this.#shortSinceMs.get(pack) ?? nowMs;
      this.#shortSinceMs.set(pack, sinceMs);
      this.shortMsMax = Math.max(this.shortMsMax, nowMs - sinceMs);
      if (nowMs - sinceMs > mendMs) this.fail('mended', `pack ${pack.slice(0, 8)} stays short`);
    }
    for (const known of [this.#shortSinceMs, this.#committed]) {
      for (const pack of known.keys()) if (!kept.has(pack)) known.delete(pack);
    }
    this.#followHarms(kept);
  }

  #followHarms(kept: ReadonlyMap<PackId, YearPack>): void {
    const { nowMs } = this.#cluster;
    for (const harm of this.harms) {
      if (harm.mendedMs !== undefined) continue;
      if (isNoticed(harm, this.#cluster)) harm.foundMs ??= nowMs;
      if (harm.foundMs === undefined && nowMs - harm.atMs > findMs) {
        this.fail('found', `${harm.kind} at ${harm.host.name} is not noticed`);
      }
      const isWhole = [...harm.packs].every(
        (pack) => !kept.has(pack) || !this.#shortSinceMs.has(pack),
      );
      if (harm.foundMs !== undefined && isWhole) harm.mendedMs = nowMs;
    }
  }

  #goodShards(): Map<PackId, Set<number>> {
    const good = new Map<PackId, Set<number>>();
    for (const { disk } of this.#cluster.hosts) {
      for (const file of disk.shards.files.values()) {
        if (!disk.isGood(file)) continue;
        const known = good.get(file.pack) ?? new Set();
        good.set(file.pack, known.add(file.index));
      }
    }
    return good;
  }

  /** Every pack is read back from the disks, without asking anybody, and compared with what was backed up. */
  readAll(): number {
    let count = 0;
    for (const pack of this.#backups.kept().values()) {
      if (!this.#committed.has(pack.entry.pack)) continue;
      count++;
      if (!this.#reads(pack))
        this.fail('content', `pack ${pack.entry.pack.slice(0, 8)} is another`);
    }
    return count;
  }

  #reads(pack: YearPack): boolean {
    const { k, m, pack: name } = pack.entry;
    const found = new Map<number, Uint8Array>();
    for (const { disk } of this.#cluster.hosts) {
      for (let index = 0; index < k + m; index++) {
        const file = disk.shards.files.get(`${name}.${index}`);
        if (file !== undefined && disk.isGood(file)) found.set(index, file.bytes);
      }
    }
    // Repaired ones first: they are what this is about.
    const present = [...found]
      .map(([index, bytes]) => ({ index, bytes }))
      .reverse()
      .slice(0, k);
    if (present.length < k) return false;
    const wanted = Array.from({ length: k }, (_, index) => index);
    const missing = wanted.filter((index) => !present.some((one) => one.index === index));
    const made = reconstruct({ k, m, present, wanted: missing });
    const parts = wanted.map(
      (index) =>
        present.find((one) => one.index === index)?.bytes ??
        (made[missing.indexOf(index)] as Uint8Array),
    );
    const content = contentOf(pack);
    const size = parts[0]?.length ?? 0;
    return parts.every((part, i) => {
      const expected = content.subarray(i * size, (i + 1) * size);
      return equal(part.subarray(0, expected.length), expected);
    });
  }

  /** Packs that lack a shard. */
  get shortPacks(): number {
    return this.#shortSinceMs.size;
  }

  /** After the end of all trouble nothing is missing. */
  settled(): void {
    const [pack] = this.#shortSinceMs.keys();
    if (pack !== undefined)
      this.fail('whole', `${this.#shortSinceMs.size} packs are short in the end`);
    const open = this.harms.find(({ mendedMs }) => mendedMs === undefined);
    if (open !== undefined) this.fail('whole', `${open.kind} at ${open.host.name} is not mended`);
  }

  /** The first counts. */
  fail(rule: string, text: string): void {
    this.violation ??= { atMs: this.#cluster.nowMs, rule, text };
  }
}

/** Rot: each file was set aside, or has gone with its pack. Else: the host is back, or a majority calls its site lost. */
function isNoticed({ kind, host, files }: Harm, { hosts }: YearCluster): boolean {
  const { disk, site } = host;
  if (kind === 'rot') {
    return [...files].every((file) => disk.shards.files.get(shardName(file)) !== file);
  }
  return host.isUp || hosts.some(({ lost }) => lost.has(site));
}
