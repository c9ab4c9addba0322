import { minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { LockEnds } from '../../core/policy/lock.ts';
import type { Retention } from '../../ports/object-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { ShardTiers } from '../../ports/shard-tiers.ts';
import { repeat } from '../control/duty.ts';
import type { HostClock } from '../host-clock.ts';
import type { Pace } from '../pace.ts';
import { Bell } from '../plan/bell.ts';
import type { ExtraShards } from './extra-shards.ts';
import { planTiers, type TierPlanOptions } from './tier-plan.ts';

export type TierKeeperOptions = TierPlanOptions & {
  readonly store: Pick<ShardStore, 'indexes' | 'head'>;
  readonly tiers: ShardTiers;
  readonly hostClock: Pick<HostClock, 'nowMs'>;
  /** What is here only as part of full copies, and goes: it is not worth moving. Undefined: nothing. */
  readonly extras?: Pick<ExtraShards, 'isExtra'> | undefined;
  readonly pace: Pace;
  /** A backup or a restore uses this host now. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
};

export type TierState = {
  /** Shards moved since the agent has started. */
  readonly frozen: number;
  readonly thawed: number;
  readonly bytesMoved: number;
  /** Packs that are still to be moved, as far as the round under way, or the last one, knew. */
  readonly waiting: number;
  /** It moves without letting others pass. */
  readonly isHurried: boolean;
  /** Why the last round did not do all that it should; undefined: it did. */
  readonly problem: string | undefined;
};

/** All lists of packs are read through so often. */
const planMs = 10 * minuteMs;
const lookMs = minuteMs;
const busyWaitMs = 10 * secondMs;

/**
 * Moves what this host holds between its disk and its cold store, as the policy says: one shard after another, slowly,
 * when nobody else needs the host. Everything can be broken off anywhere; the next round finds out anew what is to do.
 */
export class TierKeeper {
  readonly #options: TierKeeperOptions;
  #isHurried = false;
  /** Rung when somebody asks for a round now. */
  readonly #bell = new Bell();
  #frozen = 0;
  #thawed = 0;
  #bytesMoved = 0;
  #waiting = 0;
  #problem: string | undefined;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(options: TierKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.shardsNotMovedBetweenTiers } as const;
    const { clock } = this.#options;
    const duty = { ...this.#options, clock: this.#bell.over(clock), periodMs: lookMs, failure };
    return repeat(duty, (cancel) => this.#dueRound(cancel), options);
  }

  async #dueRound(options: Cancel): Promise<void> {
    const { clock, hostClock } = this.#options;
    const isDue = clock.monotonicMs() >= this.#dueMs && hostClock.nowMs() !== undefined;
    if (!isDue && !this.#isHurried) return;
    this.#dueMs = clock.monotonicMs() + planMs;
    await this.round(options);
  }

  /** Has a round begin now, and lets nobody pass until it has ended. */
  begin(): void {
    if (this.#isHurried) return;
    this.#isHurried = true;
    this.#bell.ring();
  }

  get state(): TierState {
    return {
      ...{ frozen: this.#frozen, thawed: this.#thawed, bytesMoved: this.#bytesMoved },
      ...{ waiting: this.#waiting, isHurried: this.#isHurried, problem: this.#problem },
    };
  }

  /** @throws HoldfastError of the first thing that goes wrong: a store that is away is away for all shards */
  async round(options: Cancel = {}): Promise<void> {
    try {
      this.#problem = await this.#move(options);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#problem = (error as Error).message;
      throw error;
    } finally {
      this.#isHurried = false;
    }
  }

  /** @returns why not everything was done */
  async #move({ signal = new AbortController().signal }: Cancel): Promise<string | undefined> {
    const { tiers, hostClock } = this.#options;
    const nowMs = hostClock.nowMs();
    if (nowMs === undefined) return 'nothing is moved: the time is not known';
    const plan = await planTiers(this.#options, nowMs);
    const moving = [...plan.cold.keys()].filter((pack) => this.#warm(pack).length > 0);
    this.#waiting = plan.warm.size + moving.length;
    if (plan.warm.size + plan.cold.size === 0) return plan.reasons[0];
    const { canLock } = await tiers.look({ signal });
    for (const pack of plan.warm) {
      for (const index of tiers.cold(pack)) await this.#thaw({ pack, index }, signal);
      this.#waiting--;
    }
    for (const pack of moving) {
      await this.#freezeAll(pack, signal);
      this.#waiting--;
    }
    if (canLock) await this.#lock(plan.cold, nowMs, signal);
    return plan.reasons[0];
  }

  /** Also of what has long been cold: locks are extended, too. One that is refused keeps no other from being set. */
  async #lock(
    cold: ReadonlyMap<PackId, LockEnds>,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    let refusal: unknown;
    for (const [pack, ends] of cold) {
      const retention = retentionOf(ends, nowMs);
      try {
        if (retention !== undefined) await this.#options.tiers.retain(pack, retention, { signal });
      } catch (error) {
        if (codeOf(error) !== 'not-permitted') throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  #warm(pack: PackId): number[] {
    const { store, tiers, extras } = this.#options;
    const cold = tiers.cold(pack);
    const isExtra = (index: number): boolean => extras?.isExtra(pack, index) === true;
    return store.indexes(pack).filter((index) => !cold.includes(index) && !isExtra(index));
  }

  async #freezeAll(pack: PackId, signal: AbortSignal): Promise<void> {
    const { tiers, log } = this.#options;
    for (const index of this.#warm(pack)) {
      const size = await this.#passed({ pack, index }, signal);
      if (size === undefined) continue;
      await tiers.freeze({ pack, index }, { signal });
      this.#frozen++;
      this.#bytesMoved += size;
      log.log('info', storageMessages.shardMovedToColdStore, { pack, index });
    }
  }

  async #thaw(shard: { pack: PackId; index: number }, signal: AbortSignal): Promise<void> {
    const { tiers, log } = this.#options;
    const size = await this.#passed(shard, signal);
    if (size === undefined) return;
    await tiers.thaw(shard, { signal });
    this.#thawed++;
    this.#bytesMoved += size;
    log.log('info', storageMessages.shardBroughtBackFromColdStore, { ...shard });
  }

  /** Waits for its turn. @returns the shard's size; undefined when it was let go meanwhile */
  async #passed(
    { pack, index }: { pack: PackId; index: number },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { clock, isBusy, pace, store } = this.#options;
    while (isBusy() && !this.#isHurried) await clock.sleep(busyWaitMs, { signal });
    signal.throwIfAborted();
    if (!store.indexes(pack).includes(index)) return undefined;
    const size = shardSizeOf(await store.head(pack, index));
    await pace.take(size, { signal });
    return size;
  }
}

/** What the store is asked to keep: the lock that nobody shortens where there is one, else the other. */
function retentionOf(ends: LockEnds, nowMs: number): Retention | undefined {
  const { complianceMs, governanceMs } = ends;
  if (complianceMs > nowMs) return { mode: 'compliance', untilMs: complianceMs };
  if (governanceMs > nowMs) return { mode: 'governance', untilMs: governanceMs };
  return undefined;
}
