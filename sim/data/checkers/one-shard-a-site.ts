import { receiptStream } from '../../../src/core/format/statement.ts';
import type { DataCluster } from '../cluster.ts';
import { extrasOn } from '../extras.ts';
import type { DataChecker } from '../observation.ts';
import { shardName } from '../shard-files.ts';
import { packsOn } from '../pack-facts.ts';

/** Where there are enough sites, no site holds two shards of one coded pack, beside full copies. */
export class OneShardASite implements DataChecker {
  readonly name = 'one-shard-a-site';

  look(cluster: DataCluster): string | undefined {
    // Who lies may be found out, and who is gone be given up: then others get what they should have had. So it is with
    // what those have whose receipts count no more.
    const siteCount = cluster
      .honest()
      .filter((one) => !cluster.forkedStreams(one).includes(receiptStream)).length;
    for (const { record, source } of cluster.snapshots.values()) {
      for (const { pack, k, m } of packsOn(source, record) ?? []) {
        if (k === 1 || k + m > Math.min(siteCount, cluster.plan.siteCount)) continue;
        for (const agent of cluster.honest()) {
          const extras = extrasOn(agent);
          let held = 0;
          for (let index = 0; index < k + m; index++) {
            const name = shardName({ pack, index });
            if (agent.disk.shards.files.has(name) && !extras.has(name)) held++;
          }
          if (held > 1) return `${agent.name} holds ${held} shards of ${pack.slice(0, 8)}`;
        }
      }
    }
    return undefined;
  }
}
