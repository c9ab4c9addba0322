import { hourMs, minuteMs } from '../../base/units.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { StoragePeer } from '../storage-peer.ts';

export type OwedReceiptsOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly records: RecordStore;
  /** Undefined on a host that holds no shards, and so owes no word. */
  readonly storage: Pick<StoragePeer, 'sign'> | undefined;
  readonly clock: Clock;
  /** Under which it is remembered that something is owed. */
  readonly owesRecord?: string;
};

/** While repairs go on, others see so often what was made: by a receipt for the newest snapshot that names it. */
const signEveryMs = 5 * minuteMs;
/** Older snapshots are signed for again no more often: what a member may say in a day is bounded. */
const signOlderMs = hourMs;

/** Is there while older snapshots are still to be signed for again. */
const repairOwes = 'repair-owes-receipts';

/** Snapshots for which this host holds something else than it has signed last. */
export class OwedReceipts {
  readonly #options: OwedReceiptsOptions;
  readonly #owesRecord: string;
  readonly #soon = new Set<ManifestRecord>();
  readonly #older = new Set<ManifestRecord>();
  #signedMs = 0;
  #signedOlderMs = Number.NEGATIVE_INFINITY;
  #hasRecalled = false;

  constructor(options: OwedReceiptsOptions) {
    this.#options = options;
    this.#owesRecord = options.owesRecord ?? repairOwes;
  }

  /** To be signed for soon. */
  get soonCount(): number {
    return this.#soon.size;
  }

  /** On the steady clock: when something is to be signed next. */
  get nextMs(): number {
    if (this.#soon.size > 0) return Number.NEGATIVE_INFINITY;
    if (this.#older.size === 0) return Number.POSITIVE_INFINITY;
    return this.#signedOlderMs + signOlderMs;
  }

  addSoon(record: ManifestRecord): void {
    this.#soon.add(record);
  }

  /** Remembered over a restart: what was made is of use to a snapshot only by a word for it. */
  async addOlder(records: readonly ManifestRecord[]): Promise<void> {
    if (this.#older.size === 0) {
      await this.#options.records.write(this.#owesRecord, new Uint8Array([1]));
    }
    for (const record of records) this.#older.add(record);
  }

  /** What this host owed when it stopped: it no longer knows for which. */
  async recall(): Promise<void> {
    if (this.#hasRecalled) return;
    this.#hasRecalled = true;
    const { records, ledger, self } = this.#options;
    if ((await records.read(this.#owesRecord)) === undefined) return;
    for (const record of ledger.manifests()) {
      const isSigned = ledger.receipts(record.hash).some(({ agent }) => agent === self);
      if (isSigned) this.#older.add(record);
    }
  }

  async sign(): Promise<void> {
    this.#signedMs = this.#options.clock.monotonicMs();
    await this.#signAll(this.#soon);
  }

  async signIfDue(): Promise<void> {
    if (this.#options.clock.monotonicMs() - this.#signedMs >= signEveryMs) await this.sign();
  }

  async signOlderIfDue(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#older.size === 0 || nowMs < this.#signedOlderMs + signOlderMs) return;
    this.#signedOlderMs = nowMs;
    await this.#signAll(this.#older);
    await this.#options.records.remove(this.#owesRecord);
  }

  /** What cannot be signed for now stays in the set. */
  async #signAll(records: Set<ManifestRecord>): Promise<void> {
    for (const record of [...records]) {
      await this.#options.storage?.sign(record);
      records.delete(record);
    }
  }
}
