import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { leafCountOf, type ShardHead } from '../../core/format/shard.ts';
import { limits } from '../../core/limits.ts';
import type { Compute } from '../../ports/compute.ts';
import type { Network } from '../../ports/network.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import { computeShards } from '../computed-shards.ts';
import type { ShardHolder } from '../holder-history.ts';
import type { ManifestRecord } from '../ledger.ts';
import type { Pace } from '../pace.ts';
import type { RepairReads } from './repair-reads.ts';
import { ShardGatherer } from './shard-gatherer.ts';

export type ShardRebuilderOptions = {
  readonly network: Pick<Network, 'pull'>;
  readonly store: ShardStore;
  readonly compute: Compute;
  readonly pace: Pace;
  readonly repairReads: Pick<RepairReads, 'take'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Shards of one pack that shall be here. */
export type RebuildJob = {
  readonly entry: PackEntry;
  readonly indexes: readonly number[];
  /** Who says to hold shards of it, this host included. */
  readonly holders: readonly ShardHolder[];
  /** A snapshot that names the pack: whose it is, is nothing that a holder is asked. */
  readonly record: ManifestRecord;
  readonly signal: AbortSignal;
};

/** The k shards that were read fit the pack id, and what they make does not. */
export class WrongEncoding extends Error {
  override readonly name = 'WrongEncoding';
  readonly from: readonly number[];
  readonly index: number;
  readonly root: string;

  constructor(found: { from: readonly number[]; index: number; root: string }) {
    super(`shards ${found.from.join(', ')} make another shard ${found.index}`);
    this.from = found.from;
    this.index = found.index;
    this.root = found.root;
  }
}

/**
 * Makes shards here without any key: copied from whoever has them, else computed from k others. Every leaf is
 * checked against the pack id before it is used, and so is the result before it is stored.
 */
export class ShardRebuilder {
  readonly #options: ShardRebuilderOptions;
  readonly #shards: ShardGatherer;

  constructor(options: ShardRebuilderOptions) {
    this.#options = options;
    this.#shards = new ShardGatherer(options);
  }

  get bytesRead(): number {
    return this.#shards.bytesRead;
  }

  /** Durable when resolved. @throws WrongEncoding | HoldfastError too-few-shards | disk-full | io-error */
  async make(job: RebuildJob): Promise<void> {
    const missing: number[] = [];
    for (const index of job.indexes) if (!(await this.#copied(job, index))) missing.push(index);
    if (missing.length > 0) await this.#compute(job, missing);
    await this.#options.store.sync();
  }

  /** Leaf by leaf into the store: an interrupted copy goes on where it was. */
  async #copied(job: RebuildJob, index: number): Promise<boolean> {
    const { entry, holders } = job;
    const having = holders.filter((one) => entry.k === 1 || one.index === index);
    for (const holder of this.#shards.leaves.history.rank(entry.pack, having)) {
      if (holder.peer === 'self') continue;
      try {
        await this.#copy(job, holder);
        return true;
      } catch (error) {
        this.#shards.note(job, error);
      }
    }
    return false;
  }

  async #copy(job: RebuildJob, holder: ShardHolder): Promise<void> {
    const { entry } = job;
    await this.#shards.fetch(job, holder, { leaf: 0, count: 1 });
    const head = this.#shards.leaves.head(entry, holder);
    if (head === undefined) throw new HoldfastError('not-found', 'the shard head is missing');
    const writer = await this.#options.store.write(this.#ownHead(job, head));
    try {
      for (let leaf = writer.nextLeaf; leaf < leafCountOf(head); leaf = writer.nextLeaf) {
        const count = Math.min(limits.pullLeavesMax, leafCountOf(head) - leaf);
        await writer.append(await this.#shards.fetch(job, holder, { leaf, count }));
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await writer.finish();
  }

  async #compute(job: RebuildJob, wanted: readonly number[]): Promise<void> {
    const { entry } = job;
    const { k, m } = entry;
    const present = await this.#shards.gather(job);
    const [first] = present;
    assert(first !== undefined, 'a pack has at least one data shard');
    const from = present.map(({ index }) => index);
    const made = await computeShards(
      this.#options.compute,
      { k, m, present, wanted },
      first.head.roots,
    );
    for (const { index, bytes, leaves, root, isRight } of made) {
      if (!isRight) throw new WrongEncoding({ from, index, root: toHex(root) });
      await this.#store(this.#ownHead(job, { ...first.head, index, leaves }), bytes);
    }
  }

  /** Whose pack it is and of which type, the manifest says: a pack id does not bind them. */
  #ownHead({ entry, record }: RebuildJob, head: ShardHead): ShardHead {
    const { writer } = record.statement;
    return { ...head, dataset: record.manifest.dataset, writer, type: entry.type };
  }

  async #store(head: ShardHead, bytes: Uint8Array): Promise<void> {
    const writer = await this.#options.store.write(head);
    try {
      for (let leaf = writer.nextLeaf; leaf < leafCountOf(head); leaf = writer.nextLeaf) {
        const end = Math.min(bytes.length, (leaf + limits.pullLeavesMax) * limits.leafSize);
        await writer.append(bytes.subarray(leaf * limits.leafSize, end));
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await writer.finish();
  }
}
