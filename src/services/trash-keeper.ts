import { dayMs, secondMs } from '../base/units.ts';
import type { DatasetId, PackId } from '../core/ids.ts';
import { lockEnd } from '../core/policy/lock.ts';
import { hasSequence } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { LockLedger } from '../ports/lock-ledger.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { BudgetBook } from './budget-book.ts';
import { repeat } from './control/duty.ts';
import type { DurabilityView } from './durability-view.ts';
import type { HostClock } from './host-clock.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { PackUse, UnneededPack } from './pack-use.ts';
import type { StoragePeer } from './storage-peer.ts';

export type TrashKeeperOptions = {
  readonly ledger: Ledger;
  readonly view: Pick<DurabilityView, 'assess'>;
  readonly packUse: PackUse;
  readonly store: ShardStore;
  readonly storage: Pick<StoragePeer, 'sign'>;
  readonly locks: LockLedger;
  readonly hostClock: Pick<HostClock, 'nowMs' | 'freeze'>;
  readonly budgets?: Pick<BudgetBook, 'refund'> | undefined;
  readonly state: () => ControlState;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 10 * secondMs;

/** What one look has done. Counts are of shards. */
export type TrashRound = {
  readonly discarded: number;
  readonly recovered: number;
  readonly purged: number;
  /** Nothing needs them, but their locks have not ended. */
  readonly locked: number;
  /** Why something was left alone, for people. */
  readonly reasons: readonly string[];
};

/**
 * Lets go, at this host, of what the control log has given up: into the trash, and from there, when its time is
 * over, for good. It judges for itself: by its own locks, its own time, and every snapshot that it knows. What is
 * needed again comes back out of the trash. It waits for nobody and nobody waits for it.
 */
export class TrashKeeper {
  readonly #options: TrashKeeperOptions;
  #running: Promise<TrashRound> | undefined;

  constructor(options: TrashKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: 'the trash was not kept' } as const;
    const round = async (): Promise<void> => void (await this.round());
    return repeat({ ...this.#options, periodMs, failure }, round, options);
  }

  /** One look; a second one asked for meanwhile is the same. */
  round(): Promise<TrashRound> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #round(): Promise<TrashRound> {
    const { hostClock, packUse, store } = this.#options;
    const look = new Look();
    const nowMs = hostClock.nowMs();
    if (packUse.datasets().length === 0 && store.trash().length === 0) return look;
    const { freeze } = hostClock;
    if (freeze !== undefined) look.reasons.push(`nothing is deleted here: ${freeze.reason}`);
    if (nowMs === undefined) look.reasons.push('nothing is deleted here: the time is not known');
    for (const dataset of packUse.datasets()) await this.#judge(dataset, look);
    await this.#recoverNeeded(look);
    if (freeze !== undefined || nowMs === undefined) return look;
    for (const [pack, unneeded] of look.unneeded) {
      if (await this.#isLocked(unneeded.users, nowMs)) look.locked += this.#held(pack);
      else await this.#letGo(pack, unneeded, look);
    }
    await store.sync();
    return look;
  }

  /** Which packs here nothing in a dataset needs. */
  async #judge(dataset: DatasetId, look: Look): Promise<void> {
    const { packUse, store } = this.#options;
    const trashed = new Set(store.trash().map(({ pack }) => pack));
    const isHere = (pack: PackId): boolean => store.indexes(pack).length > 0 || trashed.has(pack);
    const found = await packUse.unneeded(dataset, isHere);
    if ('unknown' in found) {
      look.isComplete = false;
      look.reasons.push(
        `nothing of dataset ${dataset.slice(0, 8)} is deleted here: ${found.unknown}`,
      );
      return;
    }
    for (const [pack, unneeded] of found.packs) look.unneeded.set(pack, unneeded);
  }

  /** What is in the trash and needed comes back, and this host says again what it holds. */
  async #recoverNeeded(look: Look): Promise<void> {
    const { store } = this.#options;
    // Where something could not be judged, it may lie in the trash rightly.
    if (!look.isComplete) return;
    for (const { pack, index } of store.trash()) {
      if (look.unneeded.has(pack)) continue;
      if (await store.recover(pack, index)) look.recovered++;
    }
    if (look.recovered === 0) return;
    await store.sync();
    this.#options.log.log('info', 'shards came back out of the trash', { shards: look.recovered });
    await this.#signAgain();
  }

  async #signAgain(): Promise<void> {
    const { ledger, packUse, storage } = this.#options;
    for (const record of ledger.manifests()) {
      const isSigned = ledger.receipts(record.hash).some(({ agent }) => agent === ledger.self);
      if (isSigned && !packUse.isDiscarded(record)) await storage.sign(record);
    }
  }

  async #isLocked(users: readonly ManifestRecord[], nowMs: number): Promise<boolean> {
    const { locks, view, state } = this.#options;
    for (const record of users) {
      const lock = locks.of(record.hash);
      if (lock === undefined) {
        // Committed, and not locked yet: after damage, or at a host that was away. It will be.
        if ((await view.assess(record)).state === 'committed') return true;
        continue;
      }
      const { statement, manifest } = record;
      const fate = state().fates.of(statement.writer, manifest.dataset);
      const isUnlocked = hasSequence(fate?.unlocked ?? [], manifest.sequence);
      if (lockEnd(lock, isUnlocked) > nowMs) return true;
    }
    return false;
  }

  async #letGo(pack: PackId, { users, size }: UnneededPack, look: Look): Promise<void> {
    const { store, log } = this.#options;
    const held = store.indexes(pack);
    for (const index of held) {
      await store.discard(pack, index);
      look.discarded++;
    }
    if (held.length > 0) log.log('info', 'a pack was put into the trash', { pack });
    if (!users.every((record) => this.#mayPurge(pack, record))) return;
    const [{ statement, manifest }] = users as [ManifestRecord];
    let isGone = false;
    for (const one of store.trash()) {
      if (one.pack !== pack) continue;
      isGone = true;
      await store.purge(pack, one.index);
      look.purged++;
      log.log('info', 'a shard was deleted from the trash', { pack, index: one.index });
    }
    if (isGone) this.#options.budgets?.refund(statement.writer, manifest.dataset, size);
  }

  /** Its trash is over, and it is the turn of this site: one site a day, so that a mistake can still be stopped. */
  #mayPurge(pack: PackId, record: ManifestRecord): boolean {
    const { statement, manifest } = record;
    const { fates, time } = this.#options.state();
    const fate = fates.of(statement.writer, manifest.dataset);
    if (fate === undefined || !hasSequence(fate.gone, manifest.sequence)) return false;
    const emptying = fate.expiries.find(
      ({ stage, ranges }) => stage === 'emptying' && hasSequence(ranges, manifest.sequence),
    );
    if (emptying === undefined) return true;
    const sinceMs = emptying.wait?.sinceMs;
    return sinceMs !== undefined && time.nowMs >= sinceMs + this.#turn(pack, record) * dayMs;
  }

  /** This site's place among those that hold the snapshot, another one for each pack. */
  #turn(pack: PackId, { hash }: ManifestRecord): number {
    const { ledger } = this.#options;
    const { roster, self } = ledger;
    const agents = ledger.receipts(hash).map(({ agent }) => agent);
    const siteOf = (agent: typeof self): string =>
      agent === undefined ? '' : (roster.member(agent)?.site ?? '');
    const sites = [...new Set(agents.map(siteOf))].sort();
    const own = sites.indexOf(siteOf(self));
    if (own < 0) return sites.length;
    return (own + Number.parseInt(pack.slice(0, 4), 16)) % sites.length;
  }

  #held(pack: PackId): number {
    return this.#options.store.indexes(pack).length;
  }
}

class Look implements TrashRound {
  discarded = 0;
  recovered = 0;
  purged = 0;
  locked = 0;
  readonly reasons: string[] = [];
  readonly unneeded = new Map<PackId, UnneededPack>();
  /** Every dataset could be judged. */
  isComplete = true;
}
