import { abortable } from '../base/abortable.ts';
import { BoundedCache } from '../base/bounded-cache.ts';
import { release } from '../base/bytes.ts';
import type { Semaphore } from '../base/concurrency.ts';
import { MiB } from '../base/units.ts';
import type { PackEntry } from '../core/format/facts.ts';
import { shardSizeOf } from '../core/format/shard.ts';
import { HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Compute } from '../ports/compute.ts';
import type { Attempt } from './hedged-attempts.ts';
import type { ShardHolder } from './holder-history.ts';
import type { LeafFetcher, LeafRange } from './leaf-fetcher.ts';
import type { Span } from './pack-span.ts';

export type StripeReaderOptions = {
  readonly leaves: LeafFetcher;
  readonly compute: Pick<Compute, 'reconstruct'>;
  /** Bounds the bytes of all decoding. */
  readonly decoding: Semaphore;
  /** The first of several to succeed; undefined when too few do. */
  readonly first: <T>(attempts: readonly Attempt<T>[], wanted: number) => Promise<T[] | undefined>;
  readonly onFetched: (holder: ShardHolder) => void;
  readonly onDecoded: (entry: PackEntry) => void;
};

/** A pack, and those who answer for each of its shards, the best first; nobody for those that are missing. */
export type StripedPack = {
  readonly entry: PackEntry;
  readonly holders: ReadonlyMap<number, readonly ShardHolder[]>;
};

/** The same leaves of all shards of a pack: what one decoding works on. */
type Stripe = {
  readonly range: LeafRange;
  /** By index of the shard. */
  readonly shards: Map<number, Promise<Uint8Array>>;
  /** Data shards that nobody has, by index. */
  decoded: Promise<ReadonlyMap<number, Uint8Array>> | undefined;
  /** Reads under way. */
  users: number;
  /** It has had to make room: nobody comes to it any more. */
  isRetired: boolean;
};

type Present = { readonly index: number; readonly bytes: Uint8Array };

/** Of the packs that are being read: their shards are read one after another, and each needs parts of all others. */
const keptBytesMax = 48 * MiB;

/**
 * Reads packs of which data shards are missing. What stands for a missing one is computed from the same leaves of k
 * others, most of which are wanted for their own sake, too: they are fetched once, and kept until that is over.
 */
export class StripeReader {
  readonly #options: StripeReaderOptions;
  readonly #stripes = new BoundedCache<string, Stripe>(keptBytesMax, (stripe) => {
    stripe.isRetired = true;
    if (stripe.users === 0) releaseAll(stripe);
  });

  constructor(options: StripeReaderOptions) {
    this.#options = options;
  }

  /** Who answers for which shard, as far as is known now. */
  striped(entry: PackEntry, holders: readonly ShardHolder[]): StripedPack {
    const { history } = this.#options.leaves;
    const answering = history
      .rank(entry.pack, holders)
      .filter((holder) => holder.isCold !== true && !history.isSilent(holder));
    return { entry, holders: Map.groupBy(answering, ({ index }) => index) };
  }

  /** Whether a data shard has to be computed, and can be. */
  suits({ entry, holders }: StripedPack): boolean {
    const isWhole = dataShards(entry).every((index) => holders.has(index));
    return entry.k > 1 && !isWhole && holders.size >= entry.k;
  }

  /**
   * One span of a data shard, as `stripedSpansOf` gives it.
   * @param use is given an array that others read, too, for as long as it runs
   * @returns false when it cannot be had like this
   */
  async read(
    pack: StripedPack,
    { row, leaf, count }: Span,
    { signal, use }: { readonly signal: AbortSignal; readonly use: (bytes: Uint8Array) => void },
  ): Promise<boolean> {
    const stripe = this.#stripe(pack.entry, { leaf, count });
    using _ = inUse(stripe);
    try {
      const isMissing = !pack.holders.has(row);
      const bytes = isMissing ? this.#missing(pack, stripe, row) : this.#shard(pack, stripe, row);
      use(await abortable(bytes, signal));
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      return false;
    }
  }

  #stripe(entry: PackEntry, range: LeafRange): Stripe {
    const name = `${entry.pack}/${range.leaf}`;
    const known = this.#stripes.get(name);
    if (known !== undefined) return known;
    const state = { decoded: undefined, users: 0, isRetired: false };
    const stripe: Stripe = { range, shards: new Map(), ...state };
    this.#stripes.set(name, stripe, sizeOf(entry, range));
    return stripe;
  }

  #shard({ entry, holders }: StripedPack, stripe: Stripe, index: number): Promise<Uint8Array> {
    const known = stripe.shards.get(index);
    if (known !== undefined) return known;
    const fetching = this.#fetch(entry, holders.get(index) ?? [], stripe.range);
    stripe.shards.set(index, fetching);
    fetching.catch(() => stripe.shards.delete(index));
    return fetching;
  }

  /** Goes on when whoever asked first has gone: others share it. */
  async #fetch(
    entry: PackEntry,
    holders: readonly ShardHolder[],
    range: LeafRange,
  ): Promise<Uint8Array> {
    const { leaves, onFetched } = this.#options;
    const attempts = holders.map(
      (holder): Attempt<Uint8Array> =>
        async (signal) => {
          const bytes = await leaves.fetch(entry, holder, range, signal);
          onFetched(holder);
          return bytes;
        },
    );
    const [bytes] = await this.#first(attempts, 1);
    return bytes as Uint8Array;
  }

  async #first<T>(attempts: readonly Attempt<T>[], wanted: number): Promise<T[]> {
    const found = await this.#options.first(attempts, wanted);
    if (found !== undefined) return found;
    throw new HoldfastError('too-few-shards', 'too few of those asked have answered');
  }

  async #missing(pack: StripedPack, stripe: Stripe, row: number): Promise<Uint8Array> {
    stripe.decoded ??= this.#decode(pack, stripe).catch((error: unknown) => {
      stripe.decoded = undefined;
      throw error;
    });
    const bytes = (await stripe.decoded).get(row);
    // Who answers may have changed since.
    if (bytes === undefined) throw new HoldfastError('not-found', 'the shard was not missing');
    return bytes;
  }

  async #decode(pack: StripedPack, stripe: Stripe): Promise<ReadonlyMap<number, Uint8Array>> {
    // Goes on when those who wait for it have gone.
    using _ = inUse(stripe);
    const done = await this.#options.decoding.acquire(sizeOf(pack.entry, stripe.range));
    try {
      return await this.#decoded(pack, stripe);
    } finally {
      done();
    }
  }

  async #decoded(pack: StripedPack, stripe: Stripe): Promise<ReadonlyMap<number, Uint8Array>> {
    const { entry, holders } = pack;
    const { k, m } = entry;
    // Data shards first, since they will be wanted anyway.
    const indexes = [...holders.keys()].sort((a, b) => a - b);
    const attempts = indexes.map(
      (index): Attempt<Present> =>
        async () => {
          return { index, bytes: await this.#shard(pack, stripe, index) };
        },
    );
    const found = await this.#first(attempts, k);
    const wanted = dataShards(entry).filter((index) => !holders.has(index));
    // What goes to another thread is gone here. Nobody else asks for parity; of data it is a copy.
    const present = found.map(({ index, bytes }) => {
      if (index < k) return { index, bytes: bytes.slice() };
      stripe.shards.delete(index);
      return { index, bytes };
    });
    const made = await this.#options.compute.reconstruct({ k, m, present, wanted });
    this.#options.onDecoded(entry);
    // Came too late to be used.
    for (const index of indexes) {
      if (index < k) continue;
      stripe.shards.get(index)?.then(release, () => {});
      stripe.shards.delete(index);
    }
    return new Map(wanted.map((index, i) => [index, made[i] as Uint8Array]));
  }
}

/** Of what is read for it and made of that, in bytes. */
function sizeOf({ k }: PackEntry, { count }: LeafRange): number {
  return (k + 1) * count * limits.leafSize;
}

function inUse(stripe: Stripe): Disposable {
  stripe.users++;
  return {
    [Symbol.dispose]: () => {
      stripe.users--;
      if (stripe.isRetired && stripe.users === 0) releaseAll(stripe);
    },
  };
}

/** Gives the memory back now, not at some later collection. */
function releaseAll({ shards, decoded }: Stripe): void {
  for (const bytes of shards.values()) bytes.then(release, () => {});
  decoded?.then(
    (made) => {
      for (const bytes of made.values()) release(bytes);
    },
    () => {},
  );
}

function dataShards({ k }: PackEntry): number[] {
  return Array.from({ length: k }, (_, index) => index);
}

/** The spans that cover a range of a pack, each all of a stripe's part of one data shard. */
export function* stripedSpansOf(entry: PackEntry, offset: number, size: number): Generator<Span> {
  const shardSize = shardSizeOf({ k: entry.k, packSize: entry.size });
  const leaves = Math.ceil(shardSize / limits.leafSize);
  const stripeSize = limits.pullLeavesMax * limits.leafSize;
  const end = offset + size;
  for (let row = Math.floor(offset / shardSize); row * shardSize < end; row++) {
    const start = row * shardSize;
    const from = Math.floor(Math.max(0, offset - start) / stripeSize);
    const to = Math.ceil(Math.min(shardSize, end - start) / stripeSize);
    for (let stripe = from; stripe < to; stripe++) {
      const leaf = stripe * limits.pullLeavesMax;
      yield { row, leaf, count: Math.min(limits.pullLeavesMax, leaves - leaf) };
    }
  }
}
