import { minuteMs } from '../../base/units.ts';
import type { PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { OwedReceipts } from '../repair/owed-receipts.ts';
import type { Judgement } from '../repair/repair-view.ts';
import type { StoragePeer } from '../storage-peer.ts';
import type { ExtraShards } from './extra-shards.ts';
import { forgottenExtras, type HotPlan, type HotPlanOptions, removableExtras } from './hot-plan.ts';

export type ExtraRemoverOptions = HotPlanOptions & {
  readonly ledger: Ledger;
  readonly store: ShardStore;
  readonly extras: ExtraShards;
  readonly storage: Pick<StoragePeer, 'sign'>;
  readonly owed: Pick<OwedReceipts, 'addOlder'>;
  /** What is missing where; `isNow`: as it is now, and not as it was when this host last looked for long. */
  readonly judge: (options: { readonly isNow: boolean }) => Promise<Judgement>;
  readonly clock: Clock;
  readonly log: Log;
};

/** By then others have heard that something is not signed for any more. */
const heardMs = minuteMs;
/** What a member may say in a day is bounded: each snapshot that is signed again for removals costs so long. */
const removeEveryMs = 2 * minuteMs;

/**
 * Removes shards that were here for full copies which are wanted no more. A crash at any moment leaves them signed for,
 * or not signed for and held: never the other way round.
 *
 * not signed for any more -> others have heard it, and it is still not wanted -> removed
 */
export class ExtraRemover {
  readonly #options: ExtraRemoverOptions;
  #leavingSinceMs = 0;
  #removeDueMs = Number.NEGATIVE_INFINITY;
  #removed = 0;

  constructor(options: ExtraRemoverOptions) {
    this.#options = options;
  }

  /** Shards, since the agent has started. */
  get removed(): number {
    return this.#removed;
  }

  /** Takes the next step with what the plan does not want. @throws HoldfastError what was not signed for stays */
  async round(plan: HotPlan, judgement: Judgement): Promise<void> {
    const { extras, clock, judge } = this.#options;
    for (const pack of forgottenExtras(this.#options)) await extras.forget(pack);
    const nowMs = clock.monotonicMs();
    if (extras.isSomeLeaving) {
      if (nowMs - this.#leavingSinceMs < heardMs) return;
      const now = await judge({ isNow: true });
      await this.#removeNow(removableExtras(this.#options, plan, now), now);
    } else if (nowMs >= this.#removeDueMs) {
      const removable = removableExtras(this.#options, plan, judgement);
      if (removable.size > 0) await this.#signWithout(removable, judgement);
    }
  }

  /** First the word, then the file: nobody may count on what goes. */
  async #signWithout(
    removable: ReadonlyMap<PackId, readonly number[]>,
    judgement: Judgement,
  ): Promise<void> {
    const { extras, clock, storage } = this.#options;
    for (const [pack, indexes] of removable) extras.beginToLeave(pack, indexes);
    try {
      const users = this.#signedUsers(removable.keys(), judgement);
      for (const record of users) await storage.sign(record);
      this.#leavingSinceMs = clock.monotonicMs();
      this.#removeDueMs = this.#leavingSinceMs + Math.max(1, users.size) * removeEveryMs;
    } catch (error) {
      for (const pack of removable.keys()) extras.stay(pack);
      throw error;
    }
  }

  #signedUsers(packs: Iterable<PackId>, { survey }: Judgement): Set<ManifestRecord> {
    const { ledger, self } = this.#options;
    const users = new Set<ManifestRecord>();
    for (const pack of packs) {
      for (const record of survey.usersOf(pack)) {
        const isSigned = ledger.receipts(record.hash).some(({ agent }) => agent === self);
        if (isSigned) users.add(record);
      }
    }
    return users;
  }

  /** What is wanted again meanwhile, or is missing elsewhere, stays, and is signed for again. */
  async #removeNow(
    removable: ReadonlyMap<PackId, readonly number[]>,
    judgement: Judgement,
  ): Promise<void> {
    const { extras, store, log } = this.#options;
    const removeOne = (pack: PackId) => (index: number) => store.remove(pack, index);
    let count = 0;
    for (const pack of extras.packs()) {
      const indexes = removable.get(pack) ?? [];
      count += await extras.remove(pack, indexes, removeOne(pack));
      if (extras.leavingMaskOf(pack) === 0) continue;
      extras.stay(pack);
      await this.#options.owed.addOlder(judgement.survey.usersOf(pack));
    }
    this.#removed += count;
    if (count > 0) log.log('info', storageMessages.extraShardsRemoved, { shards: count });
  }
}
