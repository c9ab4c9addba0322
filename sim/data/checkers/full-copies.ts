import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import { extrasOn } from '../extras.ts';
import { isHotNow } from '../hot-policy.ts';
import type { DataChecker } from '../observation.ts';
import { goodIndexes, packsOn } from '../pack-facts.ts';
import { shardName } from '../shard-files.ts';
import { missingShard } from './honest-view.ts';

/** In the end a full copy is where the policy wants one, and nowhere else. */
export class FullCopies implements DataChecker {
  readonly name = 'full-copies';
  #held = 0;

  look(cluster: DataCluster): string | undefined {
    const { hot } = cluster.plan;
    if (hot === undefined) return undefined;
    const extras = held(cluster.at(hot.agent));
    if (extras > 0 && this.#held === 0) cluster.world.meet('full copy begun');
    if (extras === 0 && this.#held > 0) cluster.world.meet('full copy removed');
    this.#held = extras;
    return undefined;
  }

  async settled(cluster: DataCluster): Promise<string | undefined> {
    const { hot, hasSmallDisks } = cluster.plan;
    if (hot === undefined || hasSmallDisks) return undefined;
    const host = cluster.at(hot.agent);
    if (isHotNow(hot, cluster.world.nowMs)) {
      return cluster.running().includes(host) ? missing(cluster, host) : undefined;
    }
    // What others do not keep as they should is not given up here.
    if (cluster.plan.victims.length > 0) return undefined;
    const left = held(host);
    if (left > 0) return `${host.name} has ${left} shards of full copies that went`;
    return saidOfWhatWent(cluster);
  }
}

/** By now everybody has heard what is signed for. */
async function saidOfWhatWent(cluster: DataCluster): Promise<string | undefined> {
  for (const { agent } of cluster.running()) {
    for (const record of agent?.ledger.manifests() ?? []) {
      const located = await agent?.view.holders(record);
      const lie = located === undefined ? undefined : missingShard(cluster, located);
      if (lie !== undefined) return lie;
    }
  }
  return undefined;
}

function missing(cluster: DataCluster, host: DataAgent): string | undefined {
  const { harmed } = host.disk.shards;
  const { awaited } = host.agent?.upkeep.repairs.state.judgement ?? {};
  for (const { record, source, stated, hash } of cluster.snapshots.values()) {
    if (stated === undefined) continue;
    for (const entry of packsOn(host, record) ?? []) {
      // A shard that nobody has signed for is waited for, and its source will not come back.
      if (source.isGone && awaited?.has(entry.pack) === true) continue;
      const good = new Set(goodIndexes(host, entry));
      for (let index = 0; index < entry.k; index++) {
        if (good.has(index) || harmed.has(shardName({ pack: entry.pack, index }))) continue;
        return `${host.name} has no shard ${index} of ${entry.pack.slice(0, 8)}, of ${hash.slice(0, 8)}`;
      }
    }
  }
  return undefined;
}

/** Shards that are here for full copies alone. */
function held(host: DataAgent): number {
  const { files } = host.disk.shards;
  return [...extrasOn(host)].filter((name) => files.has(name)).length;
}
