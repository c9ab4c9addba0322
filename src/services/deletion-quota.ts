import { fromUtf8, utf8 } from '../base/bytes.ts';
import { dayMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';

export type DeletionQuotaOptions = {
  readonly records: RecordStore;
  readonly store: Pick<ShardStore, 'usage' | 'trash'>;
  readonly log: Log;
};

type Spent = { readonly day: number; readonly bytes: number };

const recordName = 'deleted';
/** Of a day's quota is written down at once, ahead of its use: a crash costs at most so much of it. */
const stepsPerDay = 32;

/**
 * How many bytes this host may delete on a day of its conservative time, which never begins twice. It is kept on
 * disk, so that a restart gives no second quota.
 */
export class DeletionQuota {
  readonly #options: DeletionQuotaOptions;
  #spent: Spent | undefined;
  /** As the record says; never less than what was spent. */
  #written: Spent = { day: 0, bytes: 0 };

  constructor(options: DeletionQuotaOptions) {
    this.#options = options;
  }

  /** Bytes of one day. */
  get bytesPerDay(): number {
    const { bytes, freeBytes } = this.#options.store.usage();
    const trash = this.#options.store.trash().reduce((sum, { size }) => sum + size, 0);
    const share = (bytes + freeBytes + trash) * (limits.deletionPercentPerDay / 100);
    return Math.max(limits.deletionBytesPerDayMin, Math.floor(share));
  }

  /** Takes so many bytes out of the day's quota; the first ones always. @returns whether there were enough left. */
  async take(bytes: number, nowMs: number): Promise<boolean> {
    const day = Math.floor(nowMs / dayMs);
    this.#spent ??= await this.#read();
    if (day > this.#spent.day) this.#spent = { day, bytes: 0 };
    const after = this.#spent.bytes + bytes;
    const most = this.bytesPerDay;
    if (after > most && this.#spent.bytes > 0) return false;
    this.#spent = { day: this.#spent.day, bytes: after };
    if (this.#written.day !== this.#spent.day || this.#written.bytes < after) {
      await this.#write(Math.ceil(after + most / stepsPerDay));
    }
    return true;
  }

  /** On a full disk nothing can be written, and deleting is what helps: the count in memory does until then. */
  async #write(bytes: number): Promise<void> {
    const { records, log } = this.#options;
    const spent = { day: this.#spent?.day ?? 0, bytes };
    try {
      await records.write(recordName, utf8(JSON.stringify(spent)));
      this.#written = spent;
    } catch (error) {
      if (codeOf(error) !== 'disk-full') throw error;
      log.log('warn', storageMessages.deletedTodayNotWrittenDown, {});
    }
  }

  /** A damaged record counts as none: what it holds back is one day's deletion. */
  async #read(): Promise<Spent> {
    const nothing = { day: 0, bytes: 0 };
    try {
      const record = await this.#options.records.read(recordName);
      if (record === undefined) return nothing;
      const value = JSON.parse(fromUtf8(record) ?? '') as Spent;
      const { day, bytes } = value;
      if (!Number.isSafeInteger(day) || !Number.isSafeInteger(bytes)) return nothing;
      this.#written = { day, bytes };
      return this.#written;
    } catch (error) {
      if (!(error instanceof SyntaxError) && codeOf(error) !== 'corrupt') throw error;
      return nothing;
    }
  }
}
