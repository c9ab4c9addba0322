import type { StatementHash } from '../../src/core/ids.ts';
import { longest } from '../../src/core/policy/lock.ts';
import type { LockLedger, SnapshotLock } from '../../src/ports/lock-ledger.ts';

/** Locks in memory. */
export class MemoryLockLedger implements LockLedger {
  isDamaged = false;
  readonly #locks = new Map<StatementHash, SnapshotLock>();

  of(snapshot: StatementHash): SnapshotLock | undefined {
    return this.#locks.get(snapshot);
  }

  async extend(locks: readonly SnapshotLock[]): Promise<void> {
    for (const lock of locks) {
      const known = this.#locks.get(lock.snapshot) ?? lock;
      this.#locks.set(lock.snapshot, { ...known, ...longest(lock, known) });
    }
  }

  async acceptDamage(): Promise<void> {
    this.isDamaged = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
