import { BoundedCache } from '../../base/bounded-cache.ts';
import { dayMs } from '../../base/units.ts';
import type { PackId, PeerKey } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../ports/runtime.ts';

/** Shards that are kept in mind: as many as whoever serves them does. */
const shardsMax = 65_536;

/** What is wanted of one shard of one holder, and the size of that shard; both in bytes. */
export type RepairRead = {
  readonly peer: PeerKey;
  readonly pack: PackId;
  readonly index: number;
  readonly bytes: number;
  readonly shardBytes: number;
};

/**
 * How often this host has read each shard to rebuild others, of the times that its holder gives it in a day. Asking
 * for more would be refused, and have people told that shards are carried off: see ReadGuard.
 */
export class RepairReads {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #read = new BoundedCache<string, number>(shardsMax);

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  /** Counts it, and says whether it may be asked for. */
  take({ peer, pack, index, bytes, shardBytes }: RepairRead): boolean {
    const day = Math.floor(this.#clock.nowMs() / dayMs);
    const name = `${peer}/${pack}/${index}/${day}`;
    const sum = (this.#read.get(name) ?? 0) + bytes;
    if (sum > limits.repairReadsPerShardAndDay * shardBytes) return false;
    this.#read.set(name, sum);
    return true;
  }
}
