import { formatSize } from '../../base/quantity.ts';
import { minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import { type PackId, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import { repeat } from '../control/duty.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { BadPacks } from '../repair/bad-packs.ts';
import { OwedReceipts } from '../repair/owed-receipts.ts';
import { holdersOf } from '../repair/pack-holders.ts';
import type { Judgement } from '../repair/repair-view.ts';
import { type ShardRebuilder, WrongEncoding } from '../repair/shard-rebuilder.ts';
import type { StoragePeer } from '../storage-peer.ts';
import { ExtraRemover } from './extra-remover.ts';
import type { ExtraShards } from './extra-shards.ts';
import { type HotPlan, type HotPlanOptions, planHot } from './hot-plan.ts';
import { crowdedOut, type HotRoom, isCrowded, sparedBytes } from './hot-room.ts';

export type HotKeeperOptions = HotPlanOptions & {
  readonly ledger: Ledger;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly store: ShardStore;
  readonly extras: ExtraShards;
  readonly storage: Pick<StoragePeer, 'sign'>;
  readonly rebuilder: Pick<ShardRebuilder, 'make'>;
  readonly badPacks: Pick<BadPacks, 'has'>;
  /** What is missing where; `isNow`: as it is now, and not as it was when this host last looked for long. */
  readonly judge: (options: { readonly isNow: boolean }) => Promise<Judgement>;
  /** Some rule of the policy wants a full copy at this host's site. */
  readonly isAsked: () => boolean;
  /** Of shards, as configured; undefined: as many as fit the disk. */
  readonly bytesMax?: number | undefined;
  readonly records: RecordStore;
  /** A backup or a restore uses this host now. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
};

export type HotState = {
  /** Packs that are still to be made whole here, as far as the round under way, or the last one, knew. */
  readonly waiting: number;
  /** Shards since the agent has started. */
  readonly made: number;
  readonly removed: number;
  /** Why the last round did not do all that it should; undefined: it did. */
  readonly problem: string | undefined;
};

const periodMs = 30 * secondMs;
/** After so long it plans anew: what is newest goes first. */
const roundMs = 10 * minuteMs;
const busyWaitMs = 10 * secondMs;
/** Who always reads from here must not keep it waiting for ever: two sites may copy from each other. */
const busyWaitsMax = 12;
/** One after another, and then it is not the pack. */
const failuresMax = 8;
/** So late may be found out that something has grown too old. */
const agedMs = 5 * minuteMs;

/**
 * Keeps the full copies that the policy wants at this host's site: all data shards of each pack, so that a restore here
 * needs nobody else and decodes nothing. Made without keys, as repairs are, and at their pace; what is no longer
 * wanted goes again. Everything can be broken off anywhere; the next round finds out anew what is to do.
 *
 * plan -> marked as extra -> copied or computed -> signed for
 */
export class HotKeeper {
  readonly #options: HotKeeperOptions;
  readonly #owed: OwedReceipts;
  readonly #remover: ExtraRemover;
  #waiting = 0;
  #made = 0;
  #problem: string | undefined;
  /** Nothing was left to do by what was known then; only time makes it anything else. */
  #doneFor: Judgement | undefined;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(options: HotKeeperOptions) {
    this.#options = options;
    this.#owed = new OwedReceipts({ ...options, owesRecord: 'hot-owes-receipts' });
    this.#remover = new ExtraRemover({ ...options, owed: this.#owed });
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.fullCopiesPostponed } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.round(cancel), options);
  }

  get state(): HotState {
    const [made, { removed }] = [this.#made, this.#remover];
    return { waiting: this.#waiting, made, removed, problem: this.#problem };
  }

  /** @throws HoldfastError of what goes wrong here, and not with one pack */
  async round({ signal = new AbortController().signal }: Cancel = {}): Promise<void> {
    const { isAsked, extras, judge, clock } = this.#options;
    if (!isAsked() && extras.size === 0) return this.#say(0, undefined);
    await this.#owed.recall();
    const judgement = await judge({ isNow: false });
    if (judgement === this.#doneFor && clock.monotonicMs() < this.#dueMs) return;
    const plan = await planHot(this.#options, judgement.survey);
    try {
      await this.#remover.round(this.#uncrowded(plan, judgement), judgement);
      await this.#makeAll(plan, judgement, signal);
    } catch (error) {
      if (codeOf(error) !== undefined) this.#problem = (error as Error).message;
      throw error;
    }
    const isQuiet = this.#waiting === 0 && !extras.isSomeLeaving && this.#owed.soonCount === 0;
    const isDone = plan.isCertain && isQuiet;
    this.#doneFor = isDone ? judgement : undefined;
    this.#dueMs = clock.monotonicMs() + agedMs;
  }

  #say(waiting: number, problem: string | undefined): void {
    this.#waiting = waiting;
    this.#problem = problem;
  }

  async #makeAll(plan: HotPlan, judgement: Judgement, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const missing = [...plan.wanted.values()].filter((entry) => this.#lacking(entry).length > 0);
    this.#say(missing.length, undefined);
    const untilMs = clock.monotonicMs() + roundMs;
    let failures = 0;
    for (const entry of missing) {
      if (clock.monotonicMs() >= untilMs || failures >= failuresMax) break;
      const problem = this.#objection(entry, judgement);
      this.#problem ??= problem?.text;
      if (problem?.isForAll === true) break;
      if (problem !== undefined) continue;
      await this.#untilQuiet(signal);
      if (await this.#make(entry, judgement, signal)) this.#waiting--;
      else failures++;
      await this.#owed.signIfDue();
    }
    if (this.#owed.soonCount > 0) await this.#owed.sign();
    await this.#owed.signOlderIfDue();
  }

  #lacking(entry: PackEntry): number[] {
    const held = this.#options.store.indexes(entry.pack);
    return [...new Array(entry.k).keys()].filter((index) => !held.includes(index));
  }

  /** Why a pack cannot be made whole here now. */
  #objection(
    entry: PackEntry,
    { survey, awaited, lost }: Judgement,
  ): { readonly text: string; readonly isForAll: boolean } | undefined {
    const { badPacks } = this.#options;
    const { pack } = entry;
    const of = (text: string) => ({ text: `pack ${shortId(pack)} ${text}`, isForAll: false });
    if (badPacks.has(pack)) return of('is wrongly encoded: holdfast repair --dry-run');
    if (awaited.has(pack) || !survey.packs.has(pack)) return of('is still on its way');
    if (lost.some((one) => one.pack === pack)) return of('is lost: holdfast repair --dry-run');
    const full = this.#full(
      this.#lacking(entry).length * shardSizeOf({ ...entry, packSize: entry.size }),
    );
    return full === undefined ? undefined : { text: full, isForAll: true };
  }

  #full(more: number): string | undefined {
    const room = this.#room();
    const spared = sparedBytes(room);
    if (room.free - more >= spared) return undefined;
    return `no room: ${formatSize(Math.max(0, room.free))} are free here, and ${formatSize(spared)} are kept for what is placed here; add disk or a host at this site, or shorten tiers.hot.for`;
  }

  #room(): HotRoom {
    const { store, bytesMax = Number.POSITIVE_INFINITY } = this.#options;
    const { bytes, freeBytes } = store.usage();
    return {
      free: Math.min(freeBytes, bytesMax - bytes),
      whole: Math.min(bytes + freeBytes, bytesMax),
    };
  }

  /** Without what must make room for what is promised. */
  #uncrowded(plan: HotPlan, { survey }: Judgement): HotPlan {
    const { extras, store } = this.#options;
    const room = this.#room();
    if (!isCrowded(room)) return plan;
    const shardSizeIn = (pack: PackId): number => {
      const entry = survey.packs.get(pack)?.entry;
      return entry === undefined ? 0 : shardSizeOf({ k: entry.k, packSize: entry.size });
    };
    const heldOf = (pack: PackId): number =>
      store.indexes(pack).filter((index) => extras.isExtra(pack, index)).length;
    const held = extras.packs().reduce((sum, pack) => sum + heldOf(pack) * shardSizeIn(pack), 0);
    const sizes = [...plan.wanted.values()].map((entry): [PackId, number] => {
      const count = this.#lacking(entry).length + heldOf(entry.pack);
      return [entry.pack, count * shardSizeIn(entry.pack)];
    });
    const crowded = crowdedOut(room, { sizes, held });
    const wanted = new Map([...plan.wanted].filter(([pack]) => !crowded.has(pack)));
    return { ...plan, wanted };
  }

  async #untilQuiet(signal: AbortSignal): Promise<void> {
    const { clock, isBusy } = this.#options;
    for (let waits = 0; isBusy() && waits < busyWaitsMax; waits++) {
      await clock.sleep(busyWaitMs, { signal });
    }
    signal.throwIfAborted();
  }

  /** @returns false: this one could not be made now */
  async #make(entry: PackEntry, { survey }: Judgement, signal: AbortSignal): Promise<boolean> {
    const { extras, store, rebuilder, log } = this.#options;
    const { pack } = entry;
    const surveyed = survey.packs.get(pack);
    const indexes = this.#lacking(entry);
    if (surveyed === undefined) return false;
    const isHeld = (index: number): boolean => store.indexes(pack).includes(index);
    if (!(await extras.mark(pack, indexes, isHeld))) {
      this.#problem ??= 'there are more full copies than this host keeps apart';
      return false;
    }
    try {
      const holders = holdersOf(surveyed, this.#options);
      await rebuilder.make({ entry, indexes, holders, record: surveyed.record, signal });
    } catch (error) {
      signal.throwIfAborted();
      const code = codeOf(error);
      if (code === undefined && !(error instanceof WrongEncoding)) throw error;
      if (code === 'disk-full' || code === 'io-error') throw error;
      const reason = (error as Error).message;
      log.log('info', storageMessages.fullCopyNotMade, { pack, reason });
      this.#problem ??= reason;
      return false;
    }
    this.#made += indexes.length;
    log.log('info', storageMessages.fullCopyMade, { pack, indexes: indexes.join(' ') });
    await this.#owed.addOlder(survey.usersOf(pack));
    this.#owed.addSoon(surveyed.record);
    return true;
  }
}
