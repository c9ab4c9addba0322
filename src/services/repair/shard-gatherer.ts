import { mapLimit } from '../../base/concurrency.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { type ShardHead, shardSizeOf } from '../../core/format/shard.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { Network } from '../../ports/network.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardSource } from '../../ports/shard-store.ts';
import type { ShardHolder } from '../holder-history.ts';
import { LeafFetcher, type LeafRange } from '../leaf-fetcher.ts';
import type { Pace } from '../pace.ts';
import type { RepairReads } from './repair-reads.ts';

export type ShardGathererOptions = {
  readonly network: Pick<Network, 'pull'>;
  /** Undefined on a host that holds no shards. */
  readonly store: ShardSource | undefined;
  readonly pace: Pace;
  /** Of all that this host reads for repair. */
  readonly repairReads: Pick<RepairReads, 'take'>;
  readonly clock: Clock;
  readonly log: Log;
};

export type GatherJob = {
  readonly entry: PackEntry;
  /** Who says to hold shards of it, this host included. */
  readonly holders: readonly ShardHolder[];
  readonly signal: AbortSignal;
};

export type PresentShard = {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly head: ShardHead;
};

/** A holder did not give what it should have; the cause says why. */
class HolderFailed extends Error {}

/** Reads shards of packs from whoever has them, at a pace. Every leaf is checked against the pack id. */
export class ShardGatherer {
  readonly leaves: LeafFetcher;
  readonly #options: ShardGathererOptions;
  bytesRead = 0;

  constructor(options: ShardGathererOptions) {
    this.#options = options;
    this.leaves = new LeafFetcher({ ...options, purpose: { kind: 'repair' } });
  }

  /** Any k different shards, whole; the fastest holders first. @throws HoldfastError too-few-shards */
  async gather(job: GatherJob): Promise<PresentShard[]> {
    const { entry } = job;
    const ranked = this.leaves.history.rank(entry.pack, job.holders);
    const queue = [...Map.groupBy(ranked, ({ index }) => index).values()];
    // What is read for nothing is not given again so often.
    if (queue.length < entry.k) throw tooFew(entry, queue.length);
    const found: PresentShard[] = [];
    while (found.length < entry.k && queue.length > 0) {
      const batch = queue.splice(0, entry.k - found.length);
      const got = await mapLimit(batch, entry.k, (holders) => this.#whole(job, holders));
      found.push(...got.filter((one) => one !== undefined));
    }
    if (found.length < entry.k) throw tooFew(entry, found.length);
    return found;
  }

  /** One shard, from the first of its holders that has it whole. */
  async #whole(job: GatherJob, holders: readonly ShardHolder[]): Promise<PresentShard | undefined> {
    const { entry } = job;
    const size = shardSizeOf({ k: entry.k, packSize: entry.size });
    const leafCount = Math.ceil(size / limits.leafSize);
    for (const holder of holders) {
      try {
        const bytes = new Uint8Array(size);
        for (let leaf = 0; leaf < leafCount; leaf += limits.pullLeavesMax) {
          const count = Math.min(limits.pullLeavesMax, leafCount - leaf);
          bytes.set(await this.fetch(job, holder, { leaf, count }), leaf * limits.leafSize);
        }
        const head = this.leaves.head(entry, holder);
        if (head !== undefined) return { index: holder.index, bytes, head };
      } catch (error) {
        this.note(job, error);
      }
    }
    return undefined;
  }

  /** Some leaves of one holder. What goes wrong there is for `note`. */
  async fetch(
    { entry, signal }: GatherJob,
    holder: ShardHolder,
    range: LeafRange,
  ): Promise<Uint8Array> {
    if (holder.peer !== 'self') {
      await this.#options.pace.take(range.count * limits.leafSize, { signal });
      this.#count(entry, { ...holder, peer: holder.peer }, range);
    }
    try {
      const bytes = await this.leaves.fetch(entry, holder, range, signal);
      if (holder.peer !== 'self') this.bytesRead += bytes.length;
      return bytes;
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) === undefined) throw error;
      throw new HolderFailed('a holder failed', { cause: error });
    }
  }

  #count(
    { pack, k, size }: PackEntry,
    { peer, index }: ShardHolder & { readonly peer: PeerKey },
    { leaf, count }: LeafRange,
  ): void {
    const shardBytes = shardSizeOf({ k, packSize: size });
    const bytes = Math.min(shardBytes, (leaf + count) * limits.leafSize) - leaf * limits.leafSize;
    if (this.#options.repairReads.take({ peer, pack, index, bytes, shardBytes })) return;
    const cause = new Error(`shard ${index} was read as often as its holder gives it in a day`);
    throw new HolderFailed('a holder gives no more', { cause });
  }

  /** Others may have it. What is wrong with this host is not for them to make good, and is thrown on. */
  note({ entry }: GatherJob, error: unknown): void {
    if (!(error instanceof HolderFailed)) throw error;
    const context = { pack: entry.pack, reason: (error.cause as Error).message };
    this.#options.log.log('info', storageMessages.shardNotGiven, context);
  }
}

function tooFew(entry: PackEntry, had: number): HoldfastError {
  const what = `pack ${shortId(entry.pack)}: ${had} of the ${entry.k} shards needed can be had`;
  return new HoldfastError('too-few-shards', what, {
    next: 'start the agents that hold its shards; the repair goes on by itself',
    details: { pack: entry.pack, had, needed: entry.k },
  });
}
