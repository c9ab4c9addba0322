import { hasSequence } from '../../../src/core/policy/sequence-ranges.ts';
import { discarded } from '../../../src/core/protocol/control/fate.ts';
import { dataset, source } from '../cast.ts';
import type { KeepingCluster } from '../cluster.ts';
import { shardName } from '../disk.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/**
 * Nothing is deleted that a snapshot needs which is not gone; nothing is put aside that one needs which its host
 * knows to be live; and nothing at all leaves its place where it is known that its writer has signed two histories.
 * In the end every snapshot that stays lies where it was stored.
 */
export class Needed implements KeepingChecker {
  readonly name = 'needed';

  observe(seen: KeepingSeen, cluster: KeepingCluster): string | undefined {
    if (seen.kind !== 'discard' && seen.kind !== 'purge') return undefined;
    const { host, shard, kind } = seen;
    const what = `${host.name} ${kind}s ${shard.pack.slice(0, 8)}`;
    if (host.knowsFork) return `${what}, whose writer has signed two histories`;
    const fate = host.state.fates.of(source.agentKey, dataset);
    const dead = fate === undefined ? [] : discarded(fate);
    for (const snapshot of cluster.usersOf(shard.pack)) {
      const { sequence } = snapshot;
      if (kind === 'purge' && !cluster.isGone(snapshot)) {
        return `${what}, which snapshot ${sequence} needs`;
      }
      if (host.known.has(snapshot) && !hasSequence(dead, sequence)) {
        return `${what}, which it knows that snapshot ${sequence} needs`;
      }
    }
    return undefined;
  }

  settled(cluster: KeepingCluster): string | undefined {
    for (const snapshot of cluster.snapshots) {
      const fate = cluster.fate();
      const isDead = fate !== undefined && hasSequence(discarded(fate), snapshot.sequence);
      if (isDead || !cluster.isCommitted(snapshot.record.hash)) continue;
      for (const { pack, k } of snapshot.packs) {
        const missing = cluster.hosts.find((host) => {
          const isSigned = cluster.witnessed(snapshot.record.hash).has(host.person.agentKey);
          return (
            isSigned && !host.disk.held.has(shardName({ pack, index: cluster.indexAt(host, k) }))
          );
        });
        if (missing === undefined) continue;
        return `${missing.name} has signed for snapshot ${snapshot.sequence} and does not hold ${pack.slice(0, 8)}`;
      }
    }
    return undefined;
  }
}
