import { hourMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import { manifestStream } from '../core/format/statement.ts';
import type { PackId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { DatasetRule } from '../core/policy/policy-terms.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import { repeat } from './control/duty.ts';
import type { HostClock } from './host-clock.ts';
import type { Ledger } from './ledger.ts';
import type { Orphan, OrphanBook } from './orphan-book.ts';
import type { PackUse } from './pack-use.ts';

export type OrphanKeeperOptions = {
  readonly ledger: Pick<Ledger, 'head' | 'roster' | 'manifests'>;
  readonly packUse: Pick<PackUse, 'named' | 'objection'>;
  readonly store: Pick<ShardStore, 'list' | 'head' | 'usage'>;
  readonly book: OrphanBook;
  readonly hostClock: Pick<HostClock, 'nowMs' | 'latestMs'>;
  readonly ruleFor: (name: string) => DatasetRule;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 6 * hourMs;
/** Held packs that are compared with the lists of snapshots at once: bounds the memory, not the result. */
const packsAtOnce = 50_000;
/** Packs are told apart by the first byte of their ids. */
const partsMax = 256;

/**
 * Finds packs that no snapshot has ever named: backups that were cut off leave them. After a long grace, longer
 * than any lock of their dataset, they may go, by way of the trash.
 */
export class OrphanKeeper {
  readonly #options: OrphanKeeperOptions;
  #known: { readonly key: string; readonly named: ReadonlySet<PackId> } | undefined;

  constructor(options: OrphanKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = {
      level: 'warn',
      message: storageMessages.orphansNotLookedFor,
    } as const;
    return repeat({ ...this.#options, periodMs, failure }, () => this.round(), options);
  }

  /** One look at everything that is held here. */
  async round(): Promise<void> {
    const { store, hostClock, book } = this.#options;
    if (hostClock.nowMs() === undefined) return;
    // A clock that is slow here must not shorten the grace.
    const nowMs = hostClock.latestMs();
    const parts = Math.min(partsMax, 1 + Math.floor(store.usage().shards / packsAtOnce));
    for (let part = 0; part < parts; part++) {
      if (!(await this.#survey((pack) => byteOf(pack) % parts === part, nowMs))) return;
    }
    await book.flush();
  }

  /** @returns whether it could be told. */
  async #survey(isMeant: (pack: PackId) => boolean, nowMs: number): Promise<boolean> {
    const { store, packUse, book, log } = this.#options;
    const held = new Map<PackId, number>();
    for await (const { pack, index } of store.list()) if (isMeant(pack)) held.set(pack, index);
    const found = await packUse.named(new Set(held.keys()));
    if ('unknown' in found) return false;
    for (const [pack] of book.all()) {
      if (isMeant(pack) && found.packs.has(pack)) book.delete(pack);
    }
    let count = 0;
    for (const [pack, index] of held) {
      if (found.packs.has(pack) || book.of(pack) !== undefined) continue;
      const orphan = await this.#orphan(pack, index, nowMs);
      if (orphan === undefined) continue;
      book.set(pack, orphan);
      count++;
    }
    if (count > 0) log.log('info', storageMessages.orphanPacks, { packs: count });
    return true;
  }

  async #orphan(pack: PackId, index: number, nowMs: number): Promise<Orphan | undefined> {
    const { store, ledger } = this.#options;
    try {
      const { writer, dataset, k, m, packSize: size } = await store.head(pack, index);
      const sequence = ledger.head(writer, manifestStream(dataset))?.sequence ?? 0;
      return { writer, dataset, k, m, size, sinceMs: nowMs, sequence, trashedMs: 0 };
    } catch (error) {
      const code = codeOf(error);
      if (code === 'not-found' || code === 'corrupt') return undefined;
      throw error;
    }
  }

  /** Those whose grace is over and that no snapshot names yet; nothing while that cannot be told. */
  async due(nowMs: number): Promise<ReadonlyMap<PackId, Orphan>> {
    const { book, packUse } = this.#options;
    const over = book.all().filter(([, orphan]) => this.#isOver(orphan, nowMs));
    if (over.length === 0) return new Map();
    const named = await this.#named(over.map(([pack]) => pack));
    const isDue = ([pack, { dataset }]: (typeof over)[number]): boolean =>
      named?.has(pack) === false && packUse.objection(dataset) === undefined;
    return new Map(over.filter(isDue));
  }

  /** Those that a snapshot names; asked for again only when snapshots or packs are others. */
  async #named(packs: readonly PackId[]): Promise<ReadonlySet<PackId> | undefined> {
    const { ledger, packUse } = this.#options;
    const key = [ledger.manifests().at(-1)?.hash, ledger.manifests().length, ...packs].join();
    if (this.#known?.key === key) return this.#known.named;
    const found = await packUse.named(new Set(packs));
    this.#known = 'unknown' in found ? undefined : { key, named: found.packs };
    return this.#known?.named;
  }

  #isOver({ writer, dataset, sinceMs, sequence }: Orphan, nowMs: number): boolean {
    const { ledger, ruleFor } = this.#options;
    const name = ledger.roster.datasetOf(writer, dataset)?.ruleName ?? '';
    const newest = ledger.head(writer, manifestStream(dataset))?.sequence ?? 0;
    const graceMs = newest > sequence ? limits.orphanGraceMs : limits.orphanSilentGraceMs;
    return nowMs >= sinceMs + Math.max(graceMs, ruleFor(name).lock?.forMs ?? 0);
  }
}

function byteOf(pack: PackId): number {
  return Number.parseInt(pack.slice(0, 2), 16);
}
