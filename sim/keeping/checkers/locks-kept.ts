import { minuteMs } from '../../../src/base/units.ts';
import type { StatementHash } from '../../../src/core/ids.ts';
import { hasSequence } from '../../../src/core/policy/sequence-ranges.ts';
import type { KeepingCluster } from '../cluster.ts';
import type { KeepingHost } from '../host.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/** In true time, until when a host has promised to keep a snapshot. */
type Promised = { sinceMs: number; complianceMs: number; governanceMs: number };

/** Clocks that nobody has set differ by less. */
const slackMs = 10 * minuteMs;

/** Nothing leaves its place at a host before the end of the locks there, by true time, whatever clocks say. */
export class LocksKept implements KeepingChecker {
  readonly name = 'locks-kept';
  readonly #promised = new Map<KeepingHost, Map<StatementHash, Promised>>();

  observe(seen: KeepingSeen, cluster: KeepingCluster): string | undefined {
    if (seen.kind === 'lock') this.#promise(seen, cluster.nowMs);
    if (seen.kind !== 'discard' && seen.kind !== 'purge') return undefined;
    const { host, shard } = seen;
    for (const { record, sequence } of cluster.usersOf(shard.pack)) {
      const promised = this.#promised.get(host)?.get(record.hash);
      if (promised === undefined) {
        if (!cluster.isCommitted(record.hash) || !knows(host, record.hash)) continue;
        return `${host.name} ${seen.kind}s a shard of snapshot ${sequence}, committed and never locked`;
      }
      const isUnlocked = hasSequence(cluster.fate()?.unlocked ?? [], sequence);
      const { complianceMs, governanceMs } = promised;
      const endMs = Math.max(complianceMs, isUnlocked ? 0 : governanceMs);
      if (cluster.nowMs + slackMs >= endMs) continue;
      const hours = Math.round((endMs - cluster.nowMs) / (60 * minuteMs));
      return `${host.name} ${seen.kind}s a shard of snapshot ${sequence} ${hours} hours too early`;
    }
    return undefined;
  }

  #promise({ host, lock }: Extract<KeepingSeen, { kind: 'lock' }>, nowMs: number): void {
    const ofHost = this.#promised.get(host) ?? new Map<StatementHash, Promised>();
    this.#promised.set(host, ofHost);
    const known = ofHost.get(lock.snapshot) ?? { sinceMs: nowMs, complianceMs: 0, governanceMs: 0 };
    const endOf = (ms: number): number => (ms === 0 ? 0 : known.sinceMs + ms - lock.sinceMs);
    ofHost.set(lock.snapshot, {
      sinceMs: known.sinceMs,
      complianceMs: Math.max(known.complianceMs, endOf(lock.complianceMs)),
      governanceMs: Math.max(known.governanceMs, endOf(lock.governanceMs)),
    });
  }
}

function knows(host: KeepingHost, snapshot: StatementHash): boolean {
  return host.records().some(({ hash }) => hash === snapshot);
}
