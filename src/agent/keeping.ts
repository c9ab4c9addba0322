import { codeOf } from '../core/errors.ts';
import type { PackId } from '../core/ids.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { HostTime } from '../core/policy/conservative-time.ts';
import type { DatasetRule } from '../core/policy/policy-terms.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { LockLedger } from '../ports/lock-ledger.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Audit } from '../services/audit/audit-log.ts';
import { type BudgetBook, type BudgetUsage, readBudgets } from '../services/budget-book.ts';
import { ExpiryKeeper } from '../services/control/expiry-keeper.ts';
import { DeletionQuota } from '../services/deletion-quota.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import { type HostClock, readHostTime } from '../services/host-clock.ts';
import type { Ledger, ManifestRecord } from '../services/ledger.ts';
import { LockKeeper } from '../services/lock-keeper.ts';
import { type Orphan, OrphanBook, readOrphans } from '../services/orphan-book.ts';
import { OrphanKeeper } from '../services/orphan-keeper.ts';
import type { PackUse } from '../services/pack-use.ts';
import { RetentionView } from '../services/retention-view.ts';
import { readSaid, type SaidBefore } from '../services/statement-budget.ts';
import type { StoragePeer } from '../services/storage-peer.ts';
import type { Suspicion } from '../services/suspicion.ts';
import { type ExtraShards, readExtras } from '../services/tiers/extra-shards.ts';
import { TrashKeeper } from '../services/trash-keeper.ts';
import type { ControlPlane } from './control-plane.ts';

/** What keeping needs of the world beside what services share. */
export type KeepingPorts = {
  /** Small records of what this host has promised and must not mistake. */
  readonly promises: RecordStore;
  readonly locks: LockLedger;
};

/** What this host had written down of it when it last ran. */
export type KeptRecords = {
  readonly hostTime: HostTime;
  readonly budgets: BudgetUsage;
  readonly orphans: ReadonlyMap<PackId, Orphan>;
  readonly said: SaidBefore;
  /** Shards that are here only as part of full copies. */
  readonly extras: ReadonlyMap<PackId, number>;
};

/** @throws HoldfastError io-error */
export async function readKeptRecords(records: RecordStore, log: Log): Promise<KeptRecords> {
  return {
    hostTime: await readHostTime(records),
    budgets: await readBudgets(records, log),
    orphans: await readOrphans(records, log),
    said: await readSaid(records),
    extras: await readExtras(records, log),
  };
}

export type KeepingOptions = KeepingPorts & {
  readonly hostClock: HostClock;
  readonly ledger: Ledger;
  readonly view: DurabilityView;
  readonly control: ControlPlane;
  readonly packUse: PackUse;
  readonly budgets: BudgetBook;
  readonly orphans: KeptRecords['orphans'];
  readonly extras: ExtraShards;
  readonly suspicion: Suspicion;
  readonly isShredded: (record: ManifestRecord) => boolean;
  /** Undefined on an agent that holds no shards, as is `storage`. */
  readonly store: ShardStore | undefined;
  readonly storage: StoragePeer | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Audit;
};

/** What an agent does so that what was promised is kept, and what has had its time goes. */
export class Keeping {
  readonly hostClock: HostClock;
  readonly locks: LockLedger;
  readonly budgets: BudgetBook;
  readonly retention: RetentionView;
  readonly expiry: ExpiryKeeper;
  /** Undefined on an agent that holds no shards. */
  readonly trash: TrashKeeper | undefined;
  readonly #options: KeepingOptions;
  readonly #duties: { run(options: Cancel): Promise<void> }[];

  constructor(options: KeepingOptions) {
    this.#options = options;
    this.hostClock = options.hostClock;
    this.locks = options.locks;
    this.budgets = options.budgets;
    const ruleFor = (name: string): DatasetRule => options.control.log.state.policy.ruleFor(name);
    const { control, hostClock } = options;
    const state = (): ControlState => control.log.state;
    const shared = { ...options, control: control.log, state };
    this.retention = new RetentionView(shared);
    this.expiry = new ExpiryKeeper({ ...shared, retention: this.retention });
    this.#duties = [
      hostClock,
      new LockKeeper({ ...options, ruleFor }),
      this.expiry,
      options.budgets,
    ];
    const { store, storage } = options;
    if (store === undefined || storage === undefined) return;
    const { promises: records, log } = options;
    const book = new OrphanBook(records, options.orphans);
    const orphans = new OrphanKeeper({ ...shared, store, book, ruleFor });
    const quota = new DeletionQuota({ records, store, log });
    this.trash = new TrashKeeper({ ...shared, store, storage, quota, orphans, orphanBook: book });
    this.#duties.push(orphans, this.trash);
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    const { control, hostClock } = this.#options;
    const { locks, log } = this.#options;
    if (locks.isDamaged) hostClock.halt('its record of what it keeps, and how long, is damaged');
    const thaw = (): void => {
      const number = control.log.state.thaws.of(control.log.self);
      this.#thaw(number).catch((error: unknown) => {
        const code = codeOf(error);
        if (code === undefined) throw error;
        log.log('warn', storageMessages.thawNotWrittenDown, { code });
      });
    };
    thaw();
    const stop = control.log.onState(thaw);
    try {
      await Promise.all(this.#duties.map((duty) => duty.run(options)));
    } finally {
      stop();
    }
  }

  async #thaw(number: number): Promise<void> {
    const { hostClock, locks } = this.#options;
    await hostClock.thaw(number);
    if (hostClock.freeze === undefined && locks.isDamaged) await locks.acceptDamage();
  }
}
