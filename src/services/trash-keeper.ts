import { secondMs } from '../base/units.ts';
import { type AgentKey, type DatasetId, type PackId, shortId } from '../core/ids.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import { isDeletionTurn } from '../core/policy/deletion-turn.ts';
import { lockEnd } from '../core/policy/lock.ts';
import { hasSequence } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { LockLedger } from '../ports/lock-ledger.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Audit } from './audit/audit-log.ts';
import type { BudgetBook } from './budget-book.ts';
import { repeat } from './control/duty.ts';
import type { DeletionQuota } from './deletion-quota.ts';
import type { DurabilityView } from './durability-view.ts';
import type { HostClock } from './host-clock.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { OrphanBook } from './orphan-book.ts';
import type { OrphanKeeper } from './orphan-keeper.ts';
import type { PackUse } from './pack-use.ts';
import type { StoragePeer } from './storage-peer.ts';
import type { ExtraShards } from './tiers/extra-shards.ts';
import { type Judgement, TrashJudge } from './trash-judge.ts';
import { type TrashRound, TrashTally } from './trash-tally.ts';

export type { TrashRound } from './trash-tally.ts';

export type TrashKeeperOptions = {
  readonly ledger: Pick<Ledger, 'manifests' | 'receipts' | 'self' | 'onStatement' | 'forks'>;
  readonly view: Pick<DurabilityView, 'assess'>;
  readonly packUse: Pick<PackUse, 'datasets' | 'unneeded' | 'needed' | 'isDiscarded'>;
  readonly store: Pick<
    ShardStore,
    'indexes' | 'discard' | 'recover' | 'purge' | 'trash' | 'sync' | 'usage'
  >;
  readonly storage: Pick<StoragePeer, 'sign'>;
  readonly locks: LockLedger;
  readonly hostClock: Pick<HostClock, 'nowMs' | 'latestMs' | 'freeze'>;
  readonly quota: Pick<DeletionQuota, 'take' | 'bytesPerDay'>;
  readonly orphans: Pick<OrphanKeeper, 'due'>;
  readonly orphanBook: OrphanBook;
  readonly budgets?: Pick<BudgetBook, 'refund'> | undefined;
  /** What is here only as part of full copies; undefined: nothing. */
  readonly extras?: Pick<ExtraShards, 'isExtra'> | undefined;
  readonly state: () => ControlState;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit?: Audit | undefined;
};

/** Packs whose refused deletion was noted; afterwards some are noted again. */
const notedMax = 4096;
const periodMs = 10 * secondMs;

/** A pack that may go here: whose it was, and how it was coded. */
type Spent = {
  readonly pack: PackId;
  readonly k: number;
  readonly m: number;
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly size: number;
};

/**
 * Lets go, at this host, of what the control log has given up and of what no snapshot has ever named: into the
 * trash, and from there, when its time is over, for good. It judges for itself: by its own locks, its own time,
 * and every snapshot that it knows. What is needed again comes back out of the trash. It waits for nobody and
 * nobody waits for it; and a full disk is no reason to be earlier.
 */
export class TrashKeeper {
  readonly #options: TrashKeeperOptions;
  readonly #judge: TrashJudge;
  #running: Promise<TrashRound> | undefined;
  readonly #noted = new Set<PackId>();

  constructor(options: TrashKeeperOptions) {
    this.#options = options;
    this.#judge = new TrashJudge(options);
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.trashNotKept } as const;
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
    const { hostClock, packUse, store, orphans, orphanBook } = this.#options;
    const look = new TrashTally();
    const nowMs = hostClock.nowMs();
    const isIdle = packUse.datasets().length === 0 && store.trash().length === 0;
    if (isIdle && orphanBook.size === 0) return look;
    const { freeze } = hostClock;
    if (freeze !== undefined) look.reasons.push(`nothing is deleted here: ${freeze.reason}`);
    if (nowMs === undefined) look.reasons.push('nothing is deleted here: the time is not known');
    const judgement = await this.#judge.judge();
    look.reasons.push(...judgement.reasons);
    const lost = await orphans.due(nowMs ?? 0);
    await this.#recoverNeeded(judgement, new Set(lost.keys()), look);
    if (freeze !== undefined || nowMs === undefined) return look;
    const turn = new Round(judgement, nowMs, look, store.trash());
    for (const [pack, one] of judgement.unneeded) {
      if (await this.#isLocked(turn, one.users)) {
        look.locked += this.#held(pack);
        this.#noteLocked(pack);
      } else if (!(await this.#letGo(turn, pack, one))) break;
    }
    for (const [pack, orphan] of lost) {
      if (!(await this.#letOrphanGo(turn, { pack, ...orphan }))) break;
    }
    await store.sync();
    await orphanBook.flush();
    return look;
  }

  /** What is in the trash and needed comes back, and this host says again what it holds. */
  async #recoverNeeded(
    { unneeded, isComplete }: Judgement,
    lost: ReadonlySet<PackId>,
    look: TrashTally,
  ): Promise<void> {
    const { store, packUse } = this.#options;
    const trash = store.trash().filter(({ pack }) => !unneeded.has(pack) && !lost.has(pack));
    if (trash.length === 0) return;
    // Where something could not be judged, the rest may lie in the trash rightly.
    const needed = isComplete
      ? undefined
      : await packUse.needed(new Set(trash.map(({ pack }) => pack)));
    for (const { pack, index } of trash) {
      if (needed?.has(pack) === false) continue;
      if (await store.recover(pack, index)) look.recovered++;
    }
    if (look.recovered === 0) return;
    await store.sync();
    this.#options.log.log('info', storageMessages.shardsBackFromTrash, { shards: look.recovered });
    this.#note('took shards back out of the trash', `${look.recovered} shards`, 'done');
    await this.#signAgain();
  }

  async #signAgain(): Promise<void> {
    const { ledger, packUse, storage } = this.#options;
    for (const record of ledger.manifests()) {
      const isSigned = ledger.receipts(record.hash).some(({ agent }) => agent === ledger.self);
      if (isSigned && !packUse.isDiscarded(record)) await storage.sign(record);
    }
  }

  async #isLocked(turn: Round, users: readonly ManifestRecord[]): Promise<boolean> {
    for (const record of users) {
      const isLocked = turn.locked.get(record) ?? (await this.#hasLock(record, turn.nowMs));
      turn.locked.set(record, isLocked);
      if (isLocked) return true;
    }
    return false;
  }

  async #hasLock(record: ManifestRecord, nowMs: number): Promise<boolean> {
    const { locks, view, state } = this.#options;
    const lock = locks.of(record.hash);
    // Committed, and not locked yet: after damage, or at a host that was away. It will be.
    if (lock === undefined) return (await view.assess(record)).state === 'committed';
    const { statement, manifest } = record;
    const fate = state().fates.of(statement.writer, manifest.dataset);
    const isUnlocked = hasSequence(fate?.unlocked ?? [], manifest.sequence);
    return lockEnd(lock, isUnlocked) > nowMs;
  }

  /** @returns false when this look must end: what it rests on has changed. */
  async #letGo(
    turn: Round,
    pack: PackId,
    { users, size, k, m }: { users: readonly ManifestRecord[]; size: number; k: number; m: number },
  ): Promise<boolean> {
    if (this.#mustStop(turn)) return false;
    await this.#discard(turn, pack);
    if (!users.every((record) => this.#isGone(record))) return true;
    const [{ statement, manifest }] = users as [ManifestRecord];
    const { writer } = statement;
    return this.#purge(turn, { pack, k, m, writer, dataset: manifest.dataset, size });
  }

  /** What no snapshot names has no place in the log: this host's own time decides about its trash. */
  async #letOrphanGo(turn: Round, one: Spent & { trashedMs: number }): Promise<boolean> {
    const { state, orphanBook } = this.#options;
    if (this.#mustStop(turn)) return false;
    const { pack, trashedMs } = one;
    const known = orphanBook.of(pack);
    if (await this.#discard(turn, pack)) {
      if (known !== undefined) orphanBook.set(pack, { ...known, trashedMs: turn.nowMs });
      return true;
    }
    if (!turn.trash.has(pack)) orphanBook.delete(pack);
    const { trashMs } = state().policy.current.expiry;
    if (trashedMs === 0 || turn.nowMs < trashedMs + trashMs) return true;
    return this.#purge(turn, one);
  }

  /** The clock has jumped, or a snapshot has come that may need what is to go. */
  #mustStop({ judgement }: Round): boolean {
    return this.#options.hostClock.freeze !== undefined || this.#judge.isStale(judgement);
  }

  async #discard({ look }: Round, pack: PackId): Promise<boolean> {
    const { store, log } = this.#options;
    const held = store.indexes(pack);
    for (const index of held) {
      await store.discard(pack, index);
      look.discarded++;
    }
    if (held.length > 0) {
      log.log('info', storageMessages.packTrashed, { pack });
      this.#note('put into the trash', `pack ${shortId(pack)}`, 'done');
    }
    return held.length > 0;
  }

  /** Something would go, and this host's own promise keeps it: said once. */
  #noteLocked(pack: PackId): void {
    if (this.#noted.has(pack)) return;
    if (this.#noted.size >= notedMax) this.#noted.clear();
    this.#noted.add(pack);
    this.#note('kept, since its lock has not ended', `pack ${shortId(pack)}`, 'refused');
  }

  #note(action: string, subject: string, outcome: 'done' | 'refused'): void {
    this.#options.audit?.({ kind: 'expiry', actor: 'this host', action, subject, outcome });
  }

  #isGone({ statement, manifest }: ManifestRecord): boolean {
    const fate = this.#options.state().fates.of(statement.writer, manifest.dataset);
    return fate !== undefined && hasSequence(fate.gone, manifest.sequence);
  }

  /** Deletes what was in the trash before this look. @returns as `letGo` */
  async #purge(turn: Round, one: Spent): Promise<boolean> {
    const { store, log, quota, budgets, extras } = this.#options;
    const { nowMs, look } = turn;
    const { pack, writer, dataset, size: packSize } = one;
    const shards = turn.trash.get(pack) ?? [];
    // A full copy was never counted: its source did not have it stored here.
    const counted = shards.filter(({ index }) => extras?.isExtra(pack, index) !== true);
    let countedGone = 0;
    let count = 0;
    for (const { index, size } of shards) {
      if (!this.#isTurn(one, index, nowMs)) {
        look.waiting++;
        continue;
      }
      if (!(await quota.take(size, nowMs))) {
        look.waiting++;
        look.sayFull(quota.bytesPerDay);
        continue;
      }
      if (this.#mustStop(turn)) return false;
      await store.purge(pack, index);
      count++;
      if (counted.some((one) => one.index === index)) countedGone++;
      log.log('info', storageMessages.shardDeletedFromTrash, { pack, index });
    }
    look.purged += count;
    if (count > 0) this.#note('deleted for good', `pack ${shortId(pack)}`, 'done');
    const isAllGone = countedGone > 0 && countedGone === counted.length;
    if (isAllGone) budgets?.refund(writer, dataset, packSize);
    return true;
  }

  /**
   * One shard of a code a day, or one site's copy, so that a mistake can still be stopped. By the earliest and the
   * latest time that it may be: a host whose clock is far behind deletes nothing on another one's day.
   */
  #isTurn({ pack, k, m }: Spent, index: number, nowMs: number): boolean {
    const { hostClock } = this.#options;
    const place = k > 1 ? index : this.#sites().indexOf(this.#ownSite() ?? '');
    const of = k > 1 ? k + m : this.#sites().length;
    if (place < 0) return false;
    const turn = { pack, place, of };
    return isDeletionTurn(turn, nowMs) && isDeletionTurn(turn, hostClock.latestMs());
  }

  #sites(): readonly string[] {
    const { members } = this.#options.state();
    const storing = members.all().filter(({ roles }) => roles.includes('storage'));
    return [...new Set(storing.map(({ site }) => site))].sort();
  }

  #ownSite(): string | undefined {
    const { self } = this.#options.ledger;
    return self === undefined ? undefined : this.#options.state().members.of(self)?.site;
  }

  #held(pack: PackId): number {
    return this.#options.store.indexes(pack).length;
  }
}

/** What one look rests on. */
class Round {
  readonly judgement: Judgement;
  readonly nowMs: number;
  readonly look: TrashTally;
  readonly locked = new Map<ManifestRecord, boolean>();
  /** As it was before this look: what comes in now goes no sooner than with the next. */
  readonly trash = new Map<PackId, { readonly index: number; readonly size: number }[]>();

  constructor(
    judgement: Judgement,
    nowMs: number,
    look: TrashTally,
    trash: ReturnType<ShardStore['trash']>,
  ) {
    this.judgement = judgement;
    this.nowMs = nowMs;
    this.look = look;
    for (const { pack, index, size } of trash) {
      const shards = this.trash.get(pack) ?? [];
      shards.push({ index, size });
      this.trash.set(pack, shards);
    }
  }
}
