import { dayMs, minuteMs } from '../../../src/base/units.ts';
import { limits } from '../../../src/core/limits.ts';
import { hasSequence } from '../../../src/core/policy/sequence-ranges.ts';
import type { KeepingCluster } from '../cluster.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';
import type { Snapshot } from '../snapshot.ts';

type ShardSeen = Extract<KeepingSeen, { kind: 'discard' | 'purge' }>;

const slackMs = 10 * minuteMs;

/**
 * Between the confirmation of an expiry and the trash lies the veto, between the trash and deletion the time of the
 * trash, all in true time. What no snapshot names gets its grace. And never gone is what is held or undeleted, or
 * the newest committed snapshot.
 */
export class Waited implements KeepingChecker {
  readonly name = 'waited';
  /** When each snapshot was confirmed to go: the first time, and the last. */
  readonly #firstMs = new Map<Snapshot, number>();
  readonly #lastMs = new Map<Snapshot, number>();
  readonly #underWay = new Set<Snapshot>();
  readonly #gone = new Set<Snapshot>();

  observe(seen: KeepingSeen, cluster: KeepingCluster): string | undefined {
    if (seen.kind === 'said') return this.#follow(cluster);
    if (seen.kind !== 'discard' && seen.kind !== 'purge') return undefined;
    const { vetoMs, trashMs } = cluster.control.state.policy.current.expiry;
    const users = cluster.usersOf(seen.shard.pack);
    if (users.length === 0) return orphan(seen, cluster);
    const isDiscard = seen.kind === 'discard';
    const waitMs = isDiscard ? vetoMs : vetoMs + trashMs;
    for (const user of users) {
      // A host that hears nothing may put aside what was taken back meanwhile: that can be mended.
      const confirmedMs = (isDiscard ? this.#firstMs : this.#lastMs).get(user);
      if (confirmedMs === undefined) {
        return `${wordsOf(seen)}, and nobody let snapshot ${user.sequence} go`;
      }
      if (cluster.nowMs + slackMs < confirmedMs + waitMs) {
        return `${wordsOf(seen)} before the time of snapshot ${user.sequence} was over`;
      }
    }
    return undefined;
  }

  #follow(cluster: KeepingCluster): string | undefined {
    const { nowMs } = cluster;
    const expiries = (cluster.fate()?.expiries ?? []).filter(({ stage }) => stage !== 'proposed');
    for (const snapshot of cluster.snapshots) {
      if (this.#gone.has(snapshot)) continue;
      if (cluster.isGone(snapshot)) {
        this.#gone.add(snapshot);
        const text = mustStay(snapshot, cluster);
        if (text !== undefined) return `snapshot ${snapshot.sequence} is gone, and ${text}`;
      }
      const isUnderWay = expiries.some(({ ranges }) => hasSequence(ranges, snapshot.sequence));
      if (isUnderWay && !this.#underWay.has(snapshot)) {
        this.#lastMs.set(snapshot, nowMs);
        if (!this.#firstMs.has(snapshot)) this.#firstMs.set(snapshot, nowMs);
      }
      if (isUnderWay) this.#underWay.add(snapshot);
      else this.#underWay.delete(snapshot);
    }
    return undefined;
  }
}

function mustStay(snapshot: Snapshot, cluster: KeepingCluster): string | undefined {
  const { sequence, record } = snapshot;
  const newest = cluster.snapshots.findLast((one) => cluster.isCommitted(one.record.hash));
  if (snapshot === newest) return 'it is the newest committed one';
  if (hasSequence(cluster.fate()?.pinned ?? [], sequence)) return 'it was undeleted';
  const { dataset } = record.manifest;
  const hold = cluster.control.state.holds.covering(dataset, record.statement.writer, sequence);
  return hold === undefined ? undefined : `it is held: ${hold.reason}`;
}

function orphan(seen: ShardSeen, cluster: KeepingCluster): string | undefined {
  const { trashMs } = cluster.control.state.policy.current.expiry;
  const graceMs = limits.orphanGraceMs + (seen.kind === 'purge' ? trashMs : 0);
  const ageMs = cluster.nowMs - (cluster.placedMs.get(seen.shard.pack) ?? 0);
  if (ageMs + slackMs >= graceMs) return undefined;
  return `${wordsOf(seen)}, which no snapshot names, after ${(ageMs / dayMs).toFixed(1)} days`;
}

function wordsOf({ host, kind, shard }: ShardSeen): string {
  return `${host.name} ${kind}s ${shard.pack.slice(0, 8)}`;
}
