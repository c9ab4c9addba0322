import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { concat } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { codeOf } from '../../core/errors.ts';
import {
  decodeLockRecord,
  encodeLockRecord,
  lockRecordSize,
} from '../../core/format/lock-record.ts';
import type { StatementHash } from '../../core/ids.ts';
import { isLonger, longest } from '../../core/policy/lock.ts';
import type { LockLedger, SnapshotLock } from '../../ports/lock-ledger.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import { syncDirectory, syncOnce } from './atomic-write.ts';
import { readFully, writeFully } from './file-access.ts';
import { systemError } from './system-error.ts';

/** Holds how many records are durable, and how many of them an operator has given up, so that a ledger cut short is not taken for a shorter one. */
const markName = 'ledger';
const recordsPerRead = 4096;

export type LockLedgerOptions = {
  /** The ledger's file; its directory exists. */
  readonly path: string;
  /** Beside it: damage to one must not be damage to the other. */
  readonly records: RecordStore;
};

/**
 * Opens the ledger. A torn tail, which was never confirmed, is cut off; any other gap makes it damaged, for good
 * until `acceptDamage`. @throws HoldfastError io-error
 */
export async function openLockLedger(options: LockLedgerOptions): Promise<LockLedger> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    const file = await open(options.path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      await syncDirectory(dirname(options.path));
      return await FileLockLedger.load(file, options);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw systemError(error, `open ${options.path}`);
  }
}

class FileLockLedger implements LockLedger {
  readonly #file: FileHandle;
  readonly #options: LockLedgerOptions;
  readonly #locks = new Map<StatementHash, SnapshotLock>();
  readonly #turn = new Semaphore(1);
  /** Places in the file, those of damaged records included. */
  #count = 0;
  /** Of those, how many are not known. */
  #missing = 0;
  #isDamaged = false;
  #fatal: unknown;

  private constructor(file: FileHandle, options: LockLedgerOptions) {
    this.#file = file;
    this.#options = options;
  }

  static async load(file: FileHandle, options: LockLedgerOptions): Promise<FileLockLedger> {
    const ledger = new FileLockLedger(file, options);
    await ledger.#load();
    return ledger;
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  of(snapshot: StatementHash): SnapshotLock | undefined {
    return this.#locks.get(snapshot);
  }

  async extend(locks: readonly SnapshotLock[]): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      if (this.#fatal !== undefined) throw this.#fatal;
      const longer = locks.flatMap((lock) => this.#longer(lock) ?? []);
      if (longer.length > 0) await this.#append(longer);
    } finally {
      release();
    }
  }

  async acceptDamage(): Promise<void> {
    const release = await this.#turn.acquire();
    try {
      await this.#mark();
      this.#isDamaged = false;
    } finally {
      release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const release = await this.#turn.acquire();
    release();
    await this.#file.close();
  }

  /** Undefined when what stands is as long already. */
  #longer(lock: SnapshotLock): SnapshotLock | undefined {
    const known = this.#locks.get(lock.snapshot);
    if (known === undefined) return lock;
    if (!isLonger(lock, known)) return undefined;
    return { ...known, ...longest(lock, known) };
  }

  async #append(locks: readonly SnapshotLock[]): Promise<void> {
    const records = locks.map((lock, i) =>
      encodeLockRecord({ ...lock, sequence: this.#count + i + 1 }),
    );
    try {
      await writeFully(this.#file, this.#count * lockRecordSize, concat(records));
    } catch (error) {
      // Before anything is confirmed: the next append goes to the same place.
      throw systemError(error, `write ${this.#options.path}`);
    }
    try {
      await syncOnce(() => this.#file.datasync(), this.#options.path);
    } catch (error) {
      this.#fatal = error;
      throw error;
    }
    this.#count += locks.length;
    for (const lock of locks) this.#locks.set(lock.snapshot, lock);
    if (!this.#isDamaged) await this.#mark();
  }

  async #load(): Promise<void> {
    const { size } = await this.#file.stat();
    const good = await this.#read(Math.floor(size / lockRecordSize));
    const mark = await this.#marked();
    let count = mark?.count ?? Math.max(0, ...good);
    // Durable, though the process did not live to say so; what follows a gap was never confirmed.
    while (good.has(count + 1)) count++;
    this.#count = count;
    this.#missing = count - [...good].filter((place) => place <= count).length;
    this.#isDamaged = mark === undefined || this.#missing > mark.missing;
    if (size > count * lockRecordSize) await this.#file.truncate(count * lockRecordSize);
    if (!this.#isDamaged && count > (mark?.count ?? 0)) await this.#mark();
  }

  /** Takes every good record. @returns their places. */
  async #read(places: number): Promise<Set<number>> {
    const good = new Set<number>();
    for (let at = 0; at < places; at += recordsPerRead) {
      const size = Math.min(recordsPerRead, places - at) * lockRecordSize;
      const bytes = await readFully(this.#file, at * lockRecordSize, size);
      for (let from = 0; from < bytes.length; from += lockRecordSize) {
        const entry = decodeLockRecord(bytes.subarray(from, from + lockRecordSize));
        // A record at another place was moved there, and says nothing of what stood here.
        if (entry?.sequence !== at + from / lockRecordSize + 1) continue;
        good.add(entry.sequence);
        const { sequence: _, ...lock } = entry;
        const known = this.#locks.get(lock.snapshot) ?? lock;
        this.#locks.set(lock.snapshot, { ...known, ...longest(lock, known) });
      }
    }
    return good;
  }

  /** Undefined when the mark itself is damaged. */
  async #marked(): Promise<{ count: number; missing: number } | undefined> {
    try {
      const record = await this.#options.records.read(markName);
      if (record === undefined) return { count: 0, missing: 0 };
      const view = viewOf(record);
      if (record.length !== 16) return undefined;
      return { count: Number(view.getBigUint64(0)), missing: Number(view.getBigUint64(8)) };
    } catch (error) {
      if (codeOf(error) === 'corrupt') return undefined;
      throw error;
    }
  }

  async #mark(): Promise<void> {
    const record = new Uint8Array(16);
    const view = viewOf(record);
    view.setBigUint64(0, BigInt(this.#count));
    view.setBigUint64(8, BigInt(this.#missing));
    await this.#options.records.write(markName, record);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
