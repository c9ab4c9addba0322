import type { StatementHash } from '../core/ids.ts';

/** Until when a snapshot's packs stay here. Times in milliseconds since 1970; each only ever grows. */
export type SnapshotLock = {
  readonly snapshot: StatementHash;
  /** When this host first saw it committed. */
  readonly sinceMs: number;
  /** Until then nobody shortens it; 0: no such lock. */
  readonly complianceMs: number;
  /** Until then operators may, after a delay; 0: no such lock. */
  readonly governanceMs: number;
};

/**
 * This host's own promises of how long it keeps what. It is asked for every snapshot, and forgets nothing: where
 * some of it is damaged, `isDamaged` says so, and whatever it does not know counts as locked.
 */
export interface LockLedger extends AsyncDisposable {
  /** Undefined: the snapshot was never seen committed here, or its record is lost. */
  of(snapshot: StatementHash): SnapshotLock | undefined;
  readonly isDamaged: boolean;
  /** Locks at least as long as these, in one write; durable when resolved. @throws HoldfastError disk-full | io-error */
  extend(locks: readonly SnapshotLock[]): Promise<void>;
  /** An operator has looked at the damage: what is not known here may be locked anew. */
  acceptDamage(): Promise<void>;
}
