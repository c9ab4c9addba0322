import type { StatementHash } from '../../src/core/ids.ts';
import { isLonger, longest } from '../../src/core/policy/lock.ts';
import type { LockLedger, SnapshotLock } from '../../src/ports/lock-ledger.ts';
import type { Life } from '../world.ts';
import { AuditFile } from './audit.ts';
import type { Device } from './device.ts';

/** What a host's disk has of its promises: small records, and locks. */
export class PromiseFile extends AuditFile {
  locks = new Map<StatementHash, SnapshotLock>();

  override image(): PromiseFile {
    const copy = new PromiseFile();
    copy.rollBack(this);
    copy.locks = new Map(this.locks);
    return copy;
  }
}

/** The lock ledger of one run. */
export class SimLocks implements LockLedger {
  readonly isDamaged = false;
  readonly #file: PromiseFile;
  readonly #device: Device;
  readonly #life: Life;

  constructor(file: PromiseFile, device: Device, life: Life) {
    this.#file = file;
    this.#device = device;
    this.#life = life;
  }

  of(snapshot: StatementHash): SnapshotLock | undefined {
    return this.#file.locks.get(snapshot);
  }

  async extend(locks: readonly SnapshotLock[]): Promise<void> {
    const longer = locks.flatMap((lock) => {
      const known = this.of(lock.snapshot);
      if (known === undefined) return lock;
      return isLonger(lock, known) ? { ...known, ...longest(lock, known) } : [];
    });
    if (longer.length === 0) return;
    await this.#device.write(this.#life, () => {
      for (const lock of longer) this.#file.locks.set(lock.snapshot, lock);
    });
  }

  async acceptDamage(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
