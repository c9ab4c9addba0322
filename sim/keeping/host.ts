import { hourMs } from '../../src/base/units.ts';
import { codeOf } from '../../src/core/errors.ts';
import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { AgentKey, StatementHash } from '../../src/core/ids.ts';
import type { DatasetRule } from '../../src/core/policy/policy-terms.ts';
import type { ControlState } from '../../src/core/protocol/control/control-state.ts';
import type { SnapshotLock } from '../../src/ports/lock-ledger.ts';
import type { Clock } from '../../src/ports/runtime.ts';
import type {
  ExpiryKeeper,
  ExpiryKeeperOptions,
} from '../../src/services/control/expiry-keeper.ts';
import type { HostClock } from '../../src/services/host-clock.ts';
import type { Ledger, ManifestRecord } from '../../src/services/ledger.ts';
import type { LockKeeper, LockKeeperOptions } from '../../src/services/lock-keeper.ts';
import type { OrphanKeeper } from '../../src/services/orphan-keeper.ts';
import type { PackUse } from '../../src/services/pack-use.ts';
import type { TrashKeeper } from '../../src/services/trash-keeper.ts';
import { epochMs } from '../world.ts';
import { dataset, everybody, type Person, source } from './cast.ts';
import type { KeepingCluster } from './cluster.ts';
import { KeepingDisk, KeepingLocks, KeepingShards, type Shard } from './disk.ts';
import { factsOf, type Snapshot } from './snapshot.ts';

/** One run of the program at a host. */
type Run = {
  readonly clock: HostClock;
  readonly packUse: PackUse;
  readonly locks: LockKeeper;
  readonly expiry: ExpiryKeeper;
  readonly orphans: OrphanKeeper;
  readonly trash: TrashKeeper;
  nextSurveyMs: number;
};

/** A host that keeps shards: its disk stays, its program starts, crashes and starts again. */
export class KeepingHost {
  readonly person: Person;
  readonly disk = new KeepingDisk();
  readonly #cluster: KeepingCluster;
  run: Run | undefined;
  /** Of its wall clock. */
  skewMs = 0;
  /** Hears no statements, or nothing of the control log, until then. */
  deafUntilMs = 0;
  #stale: { readonly untilMs: number; readonly state: ControlState } | undefined;
  readonly known = new Set<Snapshot>();
  knowsFork = false;

  constructor(cluster: KeepingCluster, person: Person) {
    this.#cluster = cluster;
    this.person = person;
  }

  get name(): string {
    return this.person.name;
  }

  /** The control state as this host has applied it. */
  get state(): ControlState {
    return this.#stale?.state ?? this.#cluster.control.state;
  }

  get wallMs(): number {
    return epochMs + this.#cluster.nowMs + this.skewMs;
  }

  get isCutOff(): boolean {
    return this.#stale !== undefined;
  }

  /** Hears no more of the control log for so long. */
  cutOff(spanMs: number): void {
    if (this.#stale !== undefined) return;
    this.#stale = { untilMs: this.#cluster.nowMs + spanMs, state: this.#cluster.control.copy() };
  }

  async start(): Promise<void> {
    const { parts, nowMs } = this.#cluster;
    const clock: Clock = {
      nowMs: () => this.wallMs,
      monotonicMs: () => this.#cluster.nowMs - nowMs,
      sleep: async () => {},
    };
    const log = { log: (_: string, text: string) => this.#cluster.note(`${this.name}: ${text}`) };
    const ledger = this.#ledger();
    const state = (): ControlState => this.state;
    const { disk } = this;
    const store = new KeepingShards(disk, {
      discarding: (shard) => this.#cluster.see({ kind: 'discard', host: this, shard }),
      purging: (shard) => this.#cluster.see({ kind: 'purge', host: this, shard }),
    });
    const locks = new KeepingLocks(disk, (lock: SnapshotLock) =>
      this.#cluster.see({ kind: 'lock', host: this, lock }),
    );
    const hostClock = new parts.HostClock(
      {
        ledger,
        clock,
        log,
        records: disk,
        peers: { clocks: () => this.#cluster.clocksFor(this) },
      },
      await parts.readHostTime(disk),
    );
    const packUse = new parts.PackUse({ ledger, facts: factsOf(this.#cluster), state });
    const view = {
      assess: async ({ hash }: ManifestRecord) => ({
        state: this.#cluster.isCommitted(hash) ? 'committed' : 'placed',
      }),
      packs: async () => [],
    };
    const shared = { ledger, clock, log, hostClock, packUse, locks, view, state, store };
    const ruleFor = (name: string): DatasetRule => this.state.policy.ruleFor(name);
    const book = new parts.OrphanBook(disk, await parts.readOrphans(disk, log));
    const orphans = new parts.OrphanKeeper({ ...shared, book, ruleFor });
    const verdicts = () => new Map<StatementHash, never>();
    const retention = new parts.RetentionView({
      ...{ ledger, locks, packUse, state, suspicion: { verdicts }, isShredded: () => false },
      view: view as never,
    });
    const quota = new parts.DeletionQuota({ records: disk, store, log });
    const storage = { sign: (record: ManifestRecord) => this.#sign(record) };
    const control = this.#control();
    this.run = {
      clock: hostClock,
      packUse,
      locks: new parts.LockKeeper({ ...shared, ruleFor } as unknown as LockKeeperOptions),
      expiry: new parts.ExpiryKeeper({
        ...shared,
        control,
        retention,
      } as unknown as ExpiryKeeperOptions),
      orphans,
      trash: new parts.TrashKeeper({
        ...{ ...shared, quota, orphans, orphanBook: book, storage },
        view: view as never,
      }),
      nextSurveyMs: nowMs,
    };
  }

  crash(): void {
    this.run = undefined;
    this.#listeners.length = 0;
  }

  readonly #listeners: ((event: unknown) => void)[] = [];

  /** What services ask a ledger. */
  #ledger(): Ledger {
    const member = (key: AgentKey) => everybody.find(({ agentKey }) => agentKey === key);
    const owned = { id: dataset, writer: source.agentKey, name: 'db', ruleName: 'db' };
    const ledger = {
      self: this.person.agentKey,
      roster: { member, members: () => everybody, datasets: () => [owned], datasetOf: () => owned },
      manifests: () => this.records(),
      writers: () => [...new Set(this.records().map(({ statement }) => statement.writer))],
      packSegments: async ({ hash }: ManifestRecord) => this.#cluster.listsOf(hash),
      forks: () => (this.knowsFork ? [{ writer: source.agentKey }] : []),
      witnessed: (hash: StatementHash) => this.#cluster.witnessed(hash),
      receipts: (hash: StatementHash) =>
        [...this.#cluster.witnessed(hash).keys()].map((agent) => ({ agent })),
      head: () => {
        const sequence = this.records().at(-1)?.manifest.sequence;
        return sequence === undefined ? undefined : { sequence };
      },
      onStatement: (listener: (event: unknown) => void) => this.#listeners.push(listener),
    };
    return ledger as unknown as Ledger;
  }

  /** Its sequence as far as it has arrived without a gap. */
  records(): ManifestRecord[] {
    return [...this.known].map(({ record }) => record);
  }

  /** A snapshot's statement arrives, after all before it. */
  hear(snapshot: Snapshot): void {
    if (this.known.has(snapshot)) return;
    this.known.add(snapshot);
    for (const listener of this.#listeners) listener({ statement: snapshot.record.statement });
  }

  #control() {
    const host = this;
    return {
      self: this.person.agentKey,
      get state() {
        return host.state;
      },
      get isLeading() {
        return host.#cluster.leader === host;
      },
      status: () => ({ leader: this.#cluster.leader?.person.agentKey }),
      submit: async (body: ControlBody) => {
        if (this.isCutOff) return { outcome: 'void', reason: 'nobody answers' };
        const reason = this.#cluster.control.say(this.name, body);
        return { outcome: reason === 'applied' ? 'applied' : 'void', reason };
      },
    };
  }

  /** What is needed comes out of the trash, as where receipts are signed. */
  async #sign(record: ManifestRecord): Promise<Uint8Array> {
    this.#cluster.sign(this, record.hash);
    return new Uint8Array();
  }

  /** A shard is brought, durably. */
  take(shard: Shard, head: object): boolean {
    if (this.run === undefined || this.disk.isFull) return false;
    const name = `${shard.pack}.${shard.index}`;
    this.disk.heads.set(shard.pack, head as never);
    if (!this.disk.trash.has(name)) this.disk.held.set(name, shard);
    return true;
  }

  /** One look at everything by each of its keepers. What a disk refuses is for the next look. */
  async round(): Promise<void> {
    const { nowMs } = this.#cluster;
    if (this.#stale !== undefined && this.#stale.untilMs <= nowMs) this.#stale = undefined;
    const { run } = this;
    if (run === undefined) return;
    const freeze = run.clock.freeze?.number ?? 0;
    const thawed = this.state.thaws.of(this.person.agentKey);
    if (freeze > 0 && thawed >= freeze) {
      await run.clock.thaw(thawed);
      this.#cluster.see({ kind: 'thaw', host: this });
    }
    await this.#do(() => run.clock.step());
    await this.#do(() => run.locks.round());
    await this.#do(() => run.expiry.round({}));
    if (run.nextSurveyMs <= nowMs) {
      run.nextSurveyMs = nowMs + 12 * hourMs;
      await this.#do(() => run.orphans.round());
    }
    await this.#do(() => run.trash.round());
  }

  async #do(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#cluster.world.meet(`a round that ended with ${code}`);
    }
  }
}
