import { limits } from '../../../src/core/limits.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker } from '../observation.ts';

/** Requests of one host under way: pulls of some shards, offers of some packs to each, and what members ask. */
const waitingMax = 400;
/** How often a peer may sign one manifest: it holds more than before each time, or lost some of it. */
const receiptsPerManifestMax = 12;
/** Copies of a shard that are begun and not finished. */
const partialMax = 64;

/** Nothing grows without end: requests under way, answers, statements, files that are never finished. */
export class Bounded implements DataChecker {
  readonly name = 'bounded';

  look(cluster: DataCluster): string | undefined {
    for (const host of cluster.running()) {
      const text = this.#check(host, cluster.snapshots.size);
      if (text !== undefined) return `${host.name}: ${text}`;
    }
    return undefined;
  }

  #check({ run, disk, agentKey }: DataAgent, snapshots: number): string | undefined {
    const { mostWaiting = 0, largestReply = 0 } = run?.network ?? {};
    if (mostWaiting > waitingMax) return `${mostWaiting} requests at once`;
    const replyMax = limits.pullLeavesMax * limits.leafSize;
    if (largestReply > replyMax) return `an answer of ${largestReply} bytes to a pull`;
    const receipts = disk.device.hashes({ writer: agentKey, stream: 'receipts' }).length;
    if (receipts > receiptsPerManifestMax * (snapshots + 1)) {
      return `${receipts} receipts for ${snapshots} snapshots`;
    }
    const partial = disk.shards.partial.size + disk.outbox.partial.size;
    return partial > partialMax ? `${partial} shards begun and not finished` : undefined;
  }
}
