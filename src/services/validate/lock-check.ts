import { formatSpan } from '../../base/quantity.ts';
import { hourMs, minuteMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { idBytes, idOf, type StatementHash } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import {
  isLonger,
  type LockEnds,
  type LockRule,
  lockEnds,
  noLock,
} from '../../core/policy/lock.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { LockLedger } from '../../ports/lock-ledger.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { ValidationProgress } from './validation.ts';

export type LockCheckOptions = {
  readonly ledger: Pick<Ledger, 'roster' | 'self' | 'witnessed'>;
  readonly peers: Pick<Peers, 'ask' | 'isReachable'>;
  /** Of this host. */
  readonly locks: Pick<LockLedger, 'of' | 'isDamaged'>;
  /** What the policy asks for; undefined: no lock. */
  readonly ruleOf: (record: ManifestRecord) => LockRule | undefined;
  /** Operators have ended what they may end. */
  readonly isUnlocked: (record: ManifestRecord) => boolean;
  readonly snapshotName: (record: ManifestRecord) => string;
  readonly nowMs: number;
};

export type LockCheckResult = {
  /** Looked at: one for each snapshot at each member that has signed for it. */
  readonly locks: number;
  readonly peersSilent: readonly string[];
};

type Held = {
  /** What it does not know counts as locked, since it has lost some of it. */
  readonly isDamaged: boolean;
  readonly ends: ReadonlyMap<StatementHash, LockEnds>;
};

/** A member that has signed for a snapshot locks it once it sees it committed: soon, and not at once. */
const graceMs = 10 * minuteMs;
/** Clocks of hosts differ, and a lock counts from the one that is conservative. */
const toleranceMs = hourMs;

/** Whether those who hold snapshots have locked them for as long as the signed policy asks, by their own word. */
export class LockCheck {
  readonly #options: LockCheckOptions;

  constructor(options: LockCheckOptions) {
    this.#options = options;
  }

  async run(
    records: readonly ManifestRecord[],
    progress: ValidationProgress,
  ): Promise<LockCheckResult> {
    const { ledger } = this.#options;
    const peersSilent: string[] = [];
    let locks = 0;
    for (const member of ledger.roster.members()) {
      progress.signal.throwIfAborted();
      if (!member.hasRole('storage')) continue;
      const wanted = records.filter((record) => this.#isDue(record, member));
      if (wanted.length === 0) continue;
      const held = await this.#held(member, wanted);
      if (held === undefined) peersSilent.push(member.name);
      else {
        locks += wanted.length;
        for (const record of wanted) this.#judge(record, member, held, progress);
      }
      progress.onStep({ current: `locks at ${member.name}`, done: locks });
    }
    return { locks, peersSilent };
  }

  #isDue(record: ManifestRecord, { agentKey }: Member): boolean {
    const { ledger, nowMs, ruleOf } = this.#options;
    const signedMs = ledger.witnessed(record.hash).get(agentKey);
    return signedMs !== undefined && signedMs + graceMs < nowMs && ruleOf(record) !== undefined;
  }

  #judge(
    record: ManifestRecord,
    { name, agentKey }: Member,
    { ends, isDamaged }: Held,
    { onFinding }: ValidationProgress,
  ): void {
    const { ledger, ruleOf, isUnlocked, snapshotName, nowMs } = this.#options;
    const signedMs = ledger.witnessed(record.hash).get(agentKey) ?? nowMs;
    const asked = lockEnds(ruleOf(record), signedMs - toleranceMs);
    const due = isUnlocked(record) ? { ...asked, governanceMs: 0 } : asked;
    const known = ends.get(record.hash);
    if (known === undefined && isDamaged) return;
    if (!isLonger(due, known ?? noLock)) return;
    const subject = snapshotName(record);
    const wantedMs = Math.max(due.complianceMs, due.governanceMs);
    const detail =
      known === undefined
        ? `${name} has signed for it and has no lock on it`
        : `the lock of ${name} ends ${formatSpan(wantedMs - endOf(known, due))} before the policy's`;
    onFinding({ check: 'locks', subject, detail });
  }

  async #held(member: Member, records: readonly ManifestRecord[]): Promise<Held | undefined> {
    const { ledger, locks, peers } = this.#options;
    if (member.agentKey === ledger.self) {
      const own = records.flatMap(({ hash }) => {
        const lock = locks.of(hash);
        return lock === undefined ? [] : [[hash, lock] as const];
      });
      return { isDamaged: locks.isDamaged, ends: new Map(own) };
    }
    if (!peers.isReachable(member.peerKey)) return undefined;
    try {
      return await this.#ask(member, records);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  async #ask({ peerKey }: Member, records: readonly ManifestRecord[]): Promise<Held> {
    const ends = new Map<StatementHash, LockEnds>();
    let isDamaged = false;
    for (let i = 0; i < records.length; i += limits.locksPerRequest) {
      const manifests = records
        .slice(i, i + limits.locksPerRequest)
        .map(({ hash }) => idBytes(hash));
      const value = { manifests };
      const answer = await this.#options.peers.ask(peerKey, { case: 'locks', value });
      isDamaged ||= answer.isDamaged;
      for (const { manifest, complianceMs, governanceMs } of answer.locks) {
        if (manifest.length !== 32) continue;
        ends.set(idOf<StatementHash>(manifest), {
          complianceMs: Number(complianceMs),
          governanceMs: Number(governanceMs),
        });
      }
    }
    return { isDamaged, ends };
  }
}

function endOf(known: LockEnds, due: LockEnds): number {
  return due.complianceMs > known.complianceMs ? known.complianceMs : known.governanceMs;
}
