import type { DataCluster } from '../cluster.ts';
import type { DataChecker } from '../observation.ts';
import { shardName } from '../shard-files.ts';
import { packsOn } from '../pack-facts.ts';

/** Where there are enough sites, no site holds two shards of one coded pack. */
export class OneShardASite implements DataChecker {
  readonly name = 'one-shard-a-site';

  look(cluster: DataCluster): string | undefined {
    // Who lies may be found out, and who is gone be given up: then others get what they should have had.
    const siteCount = cluster.honest().length;
    for (const { record, source } of cluster.snapshots.values()) {
      for (const { pack, k, m } of packsOn(source, record) ?? []) {
        if (k === 1 || k + m > Math.min(siteCount, cluster.plan.siteCount)) continue;
        for (const { disk, name } of cluster.honest()) {
          let held = 0;
          for (let index = 0; index < k + m; index++) {
            if (disk.shards.files.has(shardName({ pack, index }))) held++;
          }
          if (held > 1) return `${name} holds ${held} shards of ${pack.slice(0, 8)}`;
        }
      }
    }
    return undefined;
  }
}
