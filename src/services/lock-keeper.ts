import { Rotation } from '../base/rotation.ts';
import { secondMs } from '../base/units.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import { isLonger, lockEnds, longest } from '../core/policy/lock.ts';
import type { DatasetRule } from '../core/policy/policy-terms.ts';
import type { LockLedger, SnapshotLock } from '../ports/lock-ledger.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import { repeat } from './control/duty.ts';
import type { DurabilityView } from './durability-view.ts';
import type { HostClock } from './host-clock.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';

export type LockKeeperOptions = {
  readonly ledger: Ledger;
  readonly view: Pick<DurabilityView, 'assess'>;
  readonly locks: LockLedger;
  readonly hostClock: Pick<HostClock, 'latestMs'>;
  /** What the signed policy says of datasets with this name. */
  readonly ruleFor: (name: string) => DatasetRule;
  readonly clock: Clock;
  readonly log: Log;
};

const periodMs = 5 * secondMs;
/** Assessed in one round: an agent that has been away may find thousands, and a thief may sign as many. */
const roundMax = 256;
const newestMax = 32;

/**
 * Sets this host's locks: on each snapshot, once it is committed, by the rule of the policy and by this host's own
 * time. A lock is of a snapshot, and so of every pack that it needs; a pack stays until the last of them ends.
 * Nobody asks for a lock, and nobody can have one taken back.
 */
export class LockKeeper {
  readonly #options: LockKeeperOptions;
  /** Of the snapshots without a lock. */
  readonly #turns = new Rotation();

  constructor(options: LockKeeperOptions) {
    this.#options = options;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.locksNotSet } as const;
    const round = async (): Promise<void> => void (await this.round());
    return repeat({ ...this.#options, periodMs, failure }, round, options);
  }

  /** Locks what is committed by now and not locked as its rule asks. @returns how many locks were set or extended. */
  async round(): Promise<number> {
    const { ledger, locks, hostClock } = this.#options;
    const nowMs = hostClock.latestMs();
    // A lock that is counted from an unknown time would end at an unknown time.
    if (nowMs === 0) return 0;
    const records = ledger.manifests();
    const unlocked = records.filter(({ hash }) => locks.of(hash) === undefined);
    const wanted: SnapshotLock[] = [];
    for (const record of [
      ...records.filter((one) => locks.of(one.hash)),
      ...this.#some(unlocked),
    ]) {
      const lock = await this.#wanted(record, locks.of(record.hash), nowMs);
      if (lock !== undefined) wanted.push(lock);
    }
    await locks.extend(wanted);
    return wanted.length;
  }

  /** The next ones, and whatever is newest: what was just committed should not wait for a whole round. */
  #some(unlocked: readonly ManifestRecord[]): Iterable<ManifestRecord> {
    if (unlocked.length <= roundMax) return unlocked;
    const turn = this.#turns.take(unlocked, roundMax);
    return new Set([...turn, ...unlocked.slice(-newestMax)]);
  }

  /** Undefined: nothing is to be locked that is not. */
  async #wanted(
    record: ManifestRecord,
    known: SnapshotLock | undefined,
    nowMs: number,
  ): Promise<SnapshotLock | undefined> {
    const { lock } = this.#options.ruleFor(this.#ruleName(record));
    if (known !== undefined) {
      const ends = lockEnds(lock, known.sinceMs);
      return isLonger(ends, known) ? { ...known, ...longest(ends, known) } : undefined;
    }
    const { state } = await this.#options.view.assess(record);
    if (state !== 'committed') return undefined;
    return { snapshot: record.hash, sinceMs: nowMs, ...lockEnds(lock, nowMs) };
  }

  /** The first name that its dataset had, as for all rules. */
  #ruleName({ statement, manifest }: ManifestRecord): string {
    const { roster } = this.#options.ledger;
    return roster.datasetOf(statement.writer, manifest.dataset)?.ruleName ?? '';
  }
}
