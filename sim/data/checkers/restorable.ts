import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker, Snapshot } from '../observation.ts';
import { goodIndexes, isHarmed, packsOn } from '../pack-facts.ts';

/**
 * A snapshot that was called committed can be rebuilt from the disks of honest members while no more sites
 * are lost than it was said to outlive. Looks at disks, not at receipts.
 */
export class Restorable implements DataChecker {
  readonly name = 'restorable';

  look(cluster: DataCluster): string | undefined {
    for (const snapshot of cluster.snapshots.values()) {
      const text = isOwed(cluster, snapshot) ? missingOf(cluster, snapshot) : undefined;
      if (text !== undefined) return `${snapshot.hash.slice(0, 8)}, ${snapshot.stated}: ${text}`;
    }
    return undefined;
  }
}

/** No more has been lost than was said to be survived. */
export function isOwed(cluster: DataCluster, snapshot: Snapshot): boolean {
  if (snapshot.stated === undefined) return false;
  return lostSites(cluster, snapshot).length <= snapshot.stated;
}

/** Where a fault has taken something of the snapshot, or somebody lies. */
export function lostSites(cluster: DataCluster, { record, source }: Snapshot): DataAgent[] {
  const packs = packsOf(cluster, record) ?? [];
  void source;
  return cluster.agents.filter(
    (one) => one.isGone || !cluster.isHonest(one) || one.disk.hasLostFacts || isHarmed(one, packs),
  );
}

function packsOf(cluster: DataCluster, record: Snapshot['record']): PackEntry[] | undefined {
  for (const agent of cluster.agents) {
    const packs = packsOn(agent, record);
    if (packs !== undefined) return packs;
  }
  return undefined;
}

function missingOf(cluster: DataCluster, snapshot: Snapshot): string | undefined {
  const lost = lostSites(cluster, snapshot);
  const left = cluster.honest().filter((agent) => !lost.includes(agent));
  const { writer, stream, sequence } = snapshot.record.statement;
  const knowing = left.filter(
    ({ disk }) => disk.device.hashes({ writer, stream }).length >= sequence,
  );
  if (knowing.length === 0) return 'nobody who is left has its manifest';
  const listing = knowing.find((agent) => packsOn(agent, snapshot.record) !== undefined);
  if (listing === undefined) return 'nobody who is left knows its packs';
  for (const entry of packsOn(listing, snapshot.record) ?? []) {
    const indexes = new Set(left.flatMap((agent) => goodIndexes(agent, entry)));
    if (indexes.size >= entry.k) continue;
    const what = `${entry.type} pack ${entry.pack.slice(0, 8)}`;
    return `${what} has ${indexes.size} of ${entry.k} shards left; ${lost.length} sites are lost`;
  }
  return undefined;
}
