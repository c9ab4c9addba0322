import { Semaphore } from '../../base/concurrency.ts';
import { minuteMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { type AgentKey, type PackId, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import { maskOf } from '../../core/policy/durability.ts';
import { orderRepairs, type RepairOrder } from '../../core/policy/repair-order.ts';
import type { RepairTask } from '../../core/policy/repair-plan.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { StoragePeer } from '../storage-peer.ts';
import type { ExtraShards } from '../tiers/extra-shards.ts';
import type { BadPack, BadPacks } from './bad-packs.ts';
import { OwedReceipts } from './owed-receipts.ts';
import { holdersOf } from './pack-holders.ts';
import type { Survey, SurveyedPack } from './pack-survey.ts';
import { RepairTurns } from './repair-turns.ts';
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
  /** What is here only as part of full copies; undefined: nothing. */
  readonly extras?: Pick<ExtraShards, 'isExtra' | 'keep'> | undefined;
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

/** So often it is asked whether anything has changed. */
const periodMs = 15 * secondMs;
/** However quiet it is, what is in the store is compared with what was signed for so often. */
const quietMaxMs = 30 * minuteMs;
/** A look at a million packs takes many seconds: afterwards it has so many times as long to rest. */
const restFactor = 20;
const nothing: RepairOrder = {
  due: [],
  waiting: [],
  isBraked: false,
  changesInMs: Number.POSITIVE_INFINITY,
};

/**
 * Sees to it that every pack has the shards that the policy wants, where it wants them. Each host makes what falls
 * to it: who should have a missing shard fetches what it is made of, so nothing is ever pushed to anybody. Whose
 * turn it is follows from signed words alone; the turn passes on when nothing comes of it.
 *
 * A round is due when facts have changed or a time has come, and not because the last one could do nothing.
 *
 * survey -> what is missing -> what is due -> own turn -> read, rebuild, store -> sign again
 */
export class RepairKeeper {
  readonly #options: RepairKeeperOptions;
  readonly #turns: RepairTurns;
  readonly #begun = new Set<PackId>();
  readonly #owed: OwedReceipts;
  #judgement: Judgement | undefined;
  #order: RepairOrder = nothing;
  #made = 0;
  #failed = 0;
  #current: PackId | undefined;
  #running: Promise<void> | undefined;
  #cancel: Cancel = {};
  readonly #lookTurn = new Semaphore(1);
  /** On the steady clock: when the next round is due, if nothing but the time changes. */
  #dueMs = Number.NEGATIVE_INFINITY;
  #isAsked = false;
  /** Asked for what may wait, too: until this host has done its part. */
  #isHurried = false;
  /** What the last round has acted on: others look, too. */
  #actedOn: Judgement | undefined;
  /** No round before this unless somebody asks for one: looking must not be all that this host does. */
  #restUntilMs = Number.NEGATIVE_INFINITY;
  /** Shards in the store when the last round ended. */
  #shardsHeld: number | undefined;
  #there: ReadonlySet<AgentKey> = new Set();

  constructor(options: RepairKeeperOptions) {
    this.#options = options;
    this.#owed = new OwedReceipts(options);
    this.#turns = new RepairTurns({ ...options, isThere: (agent) => this.isThere(agent) });
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

  /** On the steady clock: when a round is due, if nothing but the time changes. */
  get dueMs(): number {
    return Math.max(this.#dueMs, this.#restUntilMs);
  }

  /** Does at once, in the background, what the next round would do; `isAll`: and what may wait, of its own part. */
  begin({ isAll = false } = {}): void {
    this.#isAsked = true;
    this.#isHurried ||= isAll;
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
    if (!(await this.#isDue())) return;
    // What goes wrong in this round is tried again in the next.
    this.#dueMs = Number.NEGATIVE_INFINITY;
    this.#isAsked = false;
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
    // What it has said itself changes things, too.
    const isStill = (await this.recent()) === judgement;
    this.#shardsHeld = this.#options.store?.usage().shards;
    this.#actedOn = judgement;
    if (isStill) this.#dueMs = this.#nextMs();
  }

  async #isDue(): Promise<boolean> {
    const { clock, store, view } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isAsked) return true;
    if (nowMs < this.#restUntilMs) return false;
    if (nowMs >= this.#dueMs || this.#judgement === undefined) return true;
    if (this.#judgement !== this.#actedOn) return true;
    if (store?.usage().shards !== this.#shardsHeld) return true;
    return !(await view.isCurrent(this.#judgement));
  }

  #nextMs(): number {
    const nowMs = this.#options.clock.monotonicMs();
    let nextMs = Math.min(nowMs + quietMaxMs, this.#owed.nextMs, nowMs + this.#order.changesInMs);
    if (this.#judgement !== undefined) nextMs = Math.min(nextMs, this.#judgement.changesMs);
    for (const task of this.#makeable()) nextMs = Math.min(nextMs, this.#turns.fromMs(task));
    return nextMs;
  }

  /** What is missing, and what of it is due. */
  async look(): Promise<Judgement> {
    const release = await this.#lookTurn.acquire();
    try {
      return await this.#look();
    } finally {
      release();
    }
  }

  /** As `look`; an older judgement, where this host has just looked for long. */
  async recent(): Promise<Judgement> {
    const isResting = this.#options.clock.monotonicMs() < this.#restUntilMs;
    return isResting && this.#judgement !== undefined ? this.#judgement : this.look();
  }

  async #look(): Promise<Judgement> {
    const { clock, view } = this.#options;
    const beganMs = clock.monotonicMs();
    let judgement = this.#judgement;
    const isOver = judgement === undefined || beganMs >= judgement.changesMs;
    if (judgement === undefined || isOver || !(await view.isCurrent(judgement))) {
      judgement = await view.judge();
      this.#judgement = judgement;
      const endMs = clock.monotonicMs();
      this.#restUntilMs = endMs + Math.min(quietMaxMs, restFactor * (endMs - beganMs));
    }
    const short = new Set(judgement.tasks.map(({ entry }) => entry.pack));
    this.#turns.note(short);
    for (const pack of this.#begun) if (!short.has(pack)) this.#begun.delete(pack);
    this.#isHurried &&= judgement.tasks.some((task) => this.#isOwn(task));
    this.#order = orderRepairs({
      tasks: judgement.tasks,
      shardCount: judgement.shardCount,
      ageMs: (pack) => this.#turns.ageMs(pack),
      // What is left for others is not begun: they may know nothing of it.
      hasBegun: (task) => this.#begun.has(task.entry.pack) && this.#isOwn(task),
      isAskedFor: (task) => this.#isHurried && this.#isOwn(task),
    });
    return judgement;
  }

  /** It may fall to this host. */
  #isOwn({ takers }: RepairTask): boolean {
    return takers.includes(this.#options.self);
  }

  /** Signed for, and not here any more: whatever has become of it, others must know. */
  async #takeBack(survey: Survey): Promise<void> {
    const { self, store, storage, log, alarms } = this.#options;
    if (store === undefined || storage === undefined) return;
    for (const [pack, { words }] of survey.packs) {
      const mask = words.get(self)?.mask ?? 0;
      const gone = mask & ~maskOf(store.indexes(pack));
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
    this.#greet();
    const nowMs = this.#options.clock.monotonicMs();
    const mine = this.#makeable().filter((task) => this.#turns.fromMs(task) <= nowMs);
    return [...Map.groupBy(mine, ({ entry }) => entry.pack).values()];
  }

  /** Tasks that are due, for what this host does not keep and may make some time. */
  #makeable(): RepairTask[] {
    const { store, badPacks, extras } = this.#options;
    if (store === undefined) return [];
    const isKept = ({ entry: { pack }, index }: RepairTask): boolean =>
      store.indexes(pack).includes(index) && extras?.isExtra(pack, index) !== true;
    return this.#order.due.filter((task) => !badPacks.has(task.entry.pack) && !isKept(task));
  }

  /** Who has come since the last round may have what could not be had then. */
  #greet(): void {
    const members = this.#options.ledger.roster.members().map(({ agentKey }) => agentKey);
    const there = new Set(members.filter((agent) => this.isThere(agent)));
    if ([...there].some((agent) => !this.#there.has(agent))) this.#turns.hopeAgain();
    this.#there = there;
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
    const { rebuilder, extras, store, log } = this.#options;
    const { entry, record } = surveyed;
    const { pack } = entry;
    const indexes = tasks.map(({ index }) => index);
    if (rebuilder === undefined) return;
    this.#current = pack;
    this.#begun.add(pack);
    const readBefore = rebuilder.bytesRead;
    try {
      // What is here for a full copy was made from the same shards: it only changes what it is here for.
      await extras?.keep(pack, indexes);
      const missing = indexes.filter((index) => store?.indexes(pack).includes(index) !== true);
      const holders = holdersOf(surveyed, this.#options);
      await rebuilder.make({ entry, indexes: missing, holders, record, signal });
      await extras?.keep(pack, indexes);
      this.#made += indexes.length;
      await this.#owed.addOlder(survey.usersOf(pack));
      this.#owed.addSoon(record);
      log.log('info', storageMessages.shardsRepaired, { pack, indexes: indexes.join(' ') });
    } catch (error) {
      signal.throwIfAborted();
      this.#failed++;
      this.#turns.postpone(pack, rebuilder.bytesRead > readBefore);
      if (error instanceof WrongEncoding) await this.#expose(surveyed, error);
      else if (codeOf(error) === undefined) throw error;
      else
        log.log('warn', storageMessages.repairFailed, { pack, reason: (error as Error).message });
    } finally {
      this.#current = undefined;
    }
    await this.#owed.signIfDue();
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
