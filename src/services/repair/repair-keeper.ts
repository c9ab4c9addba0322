import { hourMs, minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { type AgentKey, type PackId, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import { orderRepairs, type RepairOrder } from '../../core/policy/repair-order.ts';
import type { RepairTask } from '../../core/policy/repair-plan.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { ShardHolder } from '../holder-history.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { StoragePeer } from '../storage-peer.ts';
import type { BadPack, BadPacks } from './bad-packs.ts';
import { OwedReceipts } from './owed-receipts.ts';
import type { Survey, SurveyedPack } from './pack-survey.ts';
import type { Judgement, RepairView } from './repair-view.ts';
import { type ShardRebuilder, WrongEncoding } from './shard-rebuilder.ts';

export type RepairKeeperOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly view: RepairView;
  /** These three are undefined on a host that holds no shards: it looks on. */
  readonly store: ShardStore | undefined;
  readonly storage: Pick<StoragePeer, 'sign'> | undefined;
  readonly rebuilder: ShardRebuilder | undefined;
  readonly badPacks: BadPacks;
  readonly records: RecordStore;
  /** False: this host makes nothing anew, by its configuration. */
  readonly isEnabled: boolean;
  readonly alarms: Pick<Alarms, 'raise'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** How repairs stand, for people and programs. */
export type RepairState = {
  readonly judgement: Judgement | undefined;
  readonly order: RepairOrder;
  /** Since this agent has started. */
  readonly made: number;
  readonly failed: number;
  readonly bytesRead: number;
  /** What this host works on now. */
  readonly current: PackId | undefined;
};

const periodMs = 15 * secondMs;
/** Whose turn it is has so long before the next one begins; two that make the same do no harm. */
export const leaseMs = 2 * minuteMs;
/** What failed is not tried again before this; what was read for it is read again at ever longer intervals. */
const retryMs = minuteMs;
const retryFactor = 8;
const retryMaxMs = 6 * hourMs;
const nothing: RepairOrder = { due: [], waiting: [], isBraked: false };

/**
 * Sees to it that every pack has the shards that the policy wants, where it wants them. Each host makes what falls
 * to it: who should have a missing shard fetches what it is made of, so nothing is ever pushed to anybody. Whose
 * turn it is follows from signed words alone; the turn passes on when nothing comes of it.
 *
 * survey -> what is missing -> what is due -> own turn -> read, rebuild, store -> sign again
 */
export class RepairKeeper {
  readonly #options: RepairKeeperOptions;
  /** Since when a pack is known to lack something. */
  readonly #sinceMs = new Map<PackId, number>();
  readonly #begun = new Set<PackId>();
  /** Packs that could not be made whole: when they are tried again, and how often they were read for nothing. */
  readonly #failures = new Map<PackId, { readonly untilMs: number; readonly readings: number }>();
  readonly #owed: OwedReceipts;
  #judgement: Judgement | undefined;
  #order: RepairOrder = nothing;
  #made = 0;
  #failed = 0;
  #current: PackId | undefined;
  #running: Promise<void> | undefined;
  #cancel: Cancel = {};

  constructor(options: RepairKeeperOptions) {
    this.#options = options;
    this.#owed = new OwedReceipts(options);
  }

  get state(): RepairState {
    return {
      judgement: this.#judgement,
      order: this.#order,
      made: this.#made,
      failed: this.#failed,
      bytesRead: this.#options.rebuilder?.bytesRead ?? 0,
      current: this.#current,
    };
  }

  run(options: Cancel): Promise<void> {
    this.#cancel = options;
    const failure = { level: 'warn', message: storageMessages.repairsPostponed } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.round(cancel), options);
  }

  /** Does at once, in the background, what the next round would do. */
  begin(): void {
    this.round(this.#cancel).catch((error: unknown) => {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#options.log.log('warn', storageMessages.repairsPostponed, { code });
    });
  }

  /** One look, and everything that is due here; a second one asked for meanwhile is the same. */
  round(options: Cancel = {}): Promise<void> {
    if (!this.#options.isEnabled) return Promise.resolve();
    this.#running ??= this.#round(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #round({ signal = new AbortController().signal }: Cancel): Promise<void> {
    await this.#owed.recall();
    const judgement = await this.look();
    await this.#takeBack(judgement.survey);
    for (const tasks of this.#mine()) {
      signal.throwIfAborted();
      const [task] = tasks;
      const surveyed = task === undefined ? undefined : judgement.survey.packs.get(task.entry.pack);
      if (surveyed !== undefined) await this.#repair(judgement.survey, surveyed, tasks, signal);
    }
    await this.#owed.sign();
    await this.#owed.signOlderIfDue();
    if (this.#made > 0) await this.look();
  }

  /** What is missing, and what of it is due. */
  async look(): Promise<Judgement> {
    const { clock, view } = this.#options;
    const judgement = await view.judge();
    const nowMs = clock.monotonicMs();
    const short = new Set(judgement.tasks.map(({ entry }) => entry.pack));
    for (const pack of short) if (!this.#sinceMs.has(pack)) this.#sinceMs.set(pack, nowMs);
    for (const known of [this.#sinceMs, this.#begun, this.#failures]) {
      for (const pack of known.keys()) if (!short.has(pack)) known.delete(pack);
    }
    this.#judgement = judgement;
    this.#order = orderRepairs({
      tasks: judgement.tasks,
      shardCount: judgement.shardCount,
      ageMs: (pack) => nowMs - (this.#sinceMs.get(pack) ?? nowMs),
      hasBegun: (pack) => this.#begun.has(pack),
    });
    return judgement;
  }

  /** Signed for, and not here any more: whatever has become of it, others must know. */
  async #takeBack(survey: Survey): Promise<void> {
    const { self, store, storage, log, alarms } = this.#options;
    if (store === undefined || storage === undefined) return;
    for (const [pack, { words }] of survey.packs) {
      const mask = words.get(self)?.mask ?? 0;
      const held = store.indexes(pack);
      const gone = mask & ~held.reduce((all, index) => all | (1 << index), 0);
      if (gone === 0) continue;
      log.log('error', storageMessages.signedShardGone, { pack, mask: gone >>> 0 });
      for (const record of survey.usersOf(pack)) this.#owed.addSoon(record);
    }
    if (this.#owed.soonCount === 0) return;
    const shards = store.usage().shards;
    void alarms.raise({
      kind: 'shards-gone',
      subject: 'this host',
      text: 'shards that this host has signed for are damaged or gone; they are made anew: holdfast repair --dry-run',
      facts: { shardsLeft: String(shards) },
    });
    await this.#owed.sign();
  }

  /** Tasks that are due and fall to this host now, a list for each pack. */
  #mine(): RepairTask[][] {
    const { store, badPacks } = this.#options;
    if (store === undefined) return [];
    const mine = this.#order.due.filter(
      (task) =>
        this.#isOwnTurn(task) &&
        !badPacks.has(task.entry.pack) &&
        !store.indexes(task.entry.pack).includes(task.index),
    );
    return [...Map.groupBy(mine, ({ entry }) => entry.pack).values()];
  }

  /** Those before this host are away, or have had their time. */
  #isOwnTurn({ entry, takers }: RepairTask): boolean {
    const { self, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const present = takers.filter((agent) => this.isThere(agent));
    const turn = present.indexOf(self);
    if (turn < 0) return false;
    if (nowMs < (this.#failures.get(entry.pack)?.untilMs ?? 0)) return false;
    return nowMs - (this.#sinceMs.get(entry.pack) ?? nowMs) >= turn * leaseMs;
  }

  /** Itself, or a member that is connected. */
  isThere(agent: AgentKey): boolean {
    const { ledger, peers, self } = this.#options;
    const member = ledger.roster.member(agent);
    return member !== undefined && (agent === self || peers.isReachable(member.peerKey));
  }

  async #repair(
    survey: Survey,
    surveyed: SurveyedPack,
    tasks: readonly RepairTask[],
    signal: AbortSignal,
  ): Promise<void> {
    const { rebuilder, log } = this.#options;
    const { entry, record } = surveyed;
    const { pack } = entry;
    const indexes = tasks.map(({ index }) => index);
    if (rebuilder === undefined) return;
    this.#current = pack;
    this.#begun.add(pack);
    const readBefore = rebuilder.bytesRead;
    try {
      const holders = this.#holders(surveyed);
      await rebuilder.make({ entry, indexes, holders, record, signal });
      this.#made += indexes.length;
      await this.#owed.addOlder(survey.usersOf(pack));
      this.#owed.addSoon(record);
      log.log('info', storageMessages.shardsRepaired, { pack, indexes: indexes.join(' ') });
    } catch (error) {
      signal.throwIfAborted();
      this.#failed++;
      this.#postpone(pack, rebuilder.bytesRead > readBefore);
      if (error instanceof WrongEncoding) await this.#expose(surveyed, error);
      else if (codeOf(error) === undefined) throw error;
      else
        log.log('warn', storageMessages.repairFailed, { pack, reason: (error as Error).message });
    } finally {
      this.#current = undefined;
    }
    await this.#owed.signIfDue();
  }

  #postpone(pack: PackId, hasRead: boolean): void {
    const readings = (this.#failures.get(pack)?.readings ?? 0) + (hasRead ? 1 : 0);
    const factor = hasRead ? retryFactor ** (readings - 1) : 1;
    const untilMs = this.#options.clock.monotonicMs() + Math.min(retryMaxMs, retryMs * factor);
    this.#failures.set(pack, { untilMs, readings });
  }

  #holders({ entry, words }: SurveyedPack): ShardHolder[] {
    const { ledger, self, peers, store } = this.#options;
    const site = ledger.roster.member(self)?.site ?? '';
    const own = (store?.indexes(entry.pack) ?? []).map(
      (index): ShardHolder => ({ peer: 'self', site, index }),
    );
    const others = [...words].flatMap(([agent, { mask = 0 }]): ShardHolder[] => {
      const member = ledger.roster.member(agent);
      if (member === undefined || agent === self || !peers.isReachable(member.peerKey)) return [];
      const indexes = Array.from({ length: entry.k + entry.m }, (_, index) => index);
      return indexes
        .filter((index) => ((mask >>> index) & 1) === 1)
        .map((index) => ({ peer: member.peerKey, site: member.site, index }));
    });
    return [...own, ...others];
  }

  /** Nobody can make good what its source has not made right: it is said, with what proves it, and not spread. */
  async #expose({ entry, record }: SurveyedPack, found: WrongEncoding): Promise<void> {
    const { ledger, badPacks, alarms } = this.#options;
    const { writer } = record.statement;
    const { pack } = entry;
    const { dataset } = record.manifest;
    const { from, index, root } = found;
    const bad: BadPack = { pack, writer, dataset, from, index, root };
    await badPacks.add(bad);
    const name = ledger.roster.member(writer)?.name ?? shortId(writer);
    void alarms.raise({
      kind: 'wrong-encoding',
      subject: pack,
      text: `pack ${shortId(pack)} from ${name} is wrongly encoded: ${found.message}. What needs it may be lost with one site: holdfast repair --dry-run`,
      facts: { pack, writer, dataset, shards: found.from.join(' '), root: found.root },
    });
  }
}
