import { Turns } from '../../base/turns.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { leafCountOf, type ShardHead } from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Retention, StoreAbilities } from '../../ports/object-store.ts';
import type { Cancel, Clock } from '../../ports/runtime.ts';
import type { ShardStore, ShardWriter } from '../../ports/shard-store.ts';
import type { ColdTerms, ShardTiers } from '../../ports/shard-tiers.ts';
import type { ObjectShards } from './object-shards.ts';
import { finishedWriter } from './object-writer.ts';

export type TieredShardsOptions = {
  /** On this host's own disk. Closed by its owner, as is `cold`. */
  readonly warm: ShardStore;
  readonly cold: ObjectShards;
  /** As configured: what is measured says nothing of stores that thaw for hours. */
  readonly terms: Partial<ColdTerms>;
  readonly clock: Clock;
};

type Name = { readonly pack: PackId; readonly index: number };

/** Of reads from the cold store, the newest: what one more will take. */
const samplesMax = 16;
/** Assumed before the first one. */
const firstGuessMs = 200;

/**
 * One store of two: what comes is warm, and what is cold answers as well, only later. Everything else (serving, reading
 * back, questions of possession, trash) need not know. A shard that is moved is in both for a while; each change of
 * either place of a shard waits for its turn, so that none can be dropped while it is put elsewhere.
 */
export class TieredShards implements ShardStore, ShardTiers {
  readonly #warm: ShardStore;
  readonly #cold: ObjectShards;
  readonly #options: TieredShardsOptions;
  readonly #turns = new Turns();
  readonly #delaysMs: number[] = [];

  constructor(options: TieredShardsOptions) {
    this.#warm = options.warm;
    this.#cold = options.cold;
    this.#options = options;
  }

  get name(): string {
    return this.#cold.name;
  }

  get terms(): ColdTerms {
    const sorted = [...this.#delaysMs].sort((a, b) => a - b);
    const measuredMs = sorted[sorted.length >> 1] ?? firstGuessMs;
    return { delayMs: measuredMs, ...this.#options.terms };
  }

  indexes(pack: PackId): readonly number[] {
    const cold = this.#cold.indexes(pack);
    const warm = this.#warm.indexes(pack);
    if (cold.length === 0) return warm;
    return [...new Set([...warm, ...cold])].sort((a, b) => a - b);
  }

  cold(pack: PackId): readonly number[] {
    const warm = this.#warm.indexes(pack);
    return this.#cold.indexes(pack).filter((index) => !warm.includes(index));
  }

  coldUsage(): { shards: number; bytes: number } {
    const { shards, bytes } = this.#cold.usage();
    return { shards, bytes };
  }

  look(options: Cancel = {}): Promise<StoreAbilities> {
    return this.#cold.look(options);
  }

  head(pack: PackId, index: number): Promise<ShardHead> {
    return this.#either({ pack, index }, (store) => store.head(pack, index));
  }

  read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    return this.#either({ pack, index }, (store) => store.read(pack, index, leaf, count));
  }

  async verify(pack: PackId, index: number): Promise<string | undefined> {
    if (!this.#warm.indexes(pack).includes(index)) return this.#cold.verify(pack, index);
    const problem = await this.#warm.verify(pack, index);
    // The other copy is as good as the one that was damaged.
    if (problem === undefined || !this.#cold.indexes(pack).includes(index)) return problem;
    return this.#cold.verify(pack, index);
  }

  glance(pack: PackId, index: number): Promise<string | undefined> {
    return this.#cold.glance(pack, index);
  }

  /** What is cold already is not taken again. */
  async write(head: ShardHead): Promise<ShardWriter> {
    if (this.#cold.indexes(head.pack).includes(head.index)) return finishedWriter(head);
    return this.#warm.write(head);
  }

  async sync(): Promise<void> {
    await this.#warm.sync();
  }

  remove(pack: PackId, index: number): Promise<void> {
    return this.#alone({ pack, index }, async () => {
      await this.#warm.remove(pack, index);
      await this.#cold.remove(pack, index);
    });
  }

  discard(pack: PackId, index: number): Promise<void> {
    return this.#alone({ pack, index }, async () => {
      await this.#warm.discard(pack, index);
      await this.#cold.discard(pack, index);
    });
  }

  recover(pack: PackId, index: number): Promise<boolean> {
    return this.#alone({ pack, index }, async () => {
      const isWarm = await this.#warm.recover(pack, index);
      return (await this.#cold.recover(pack, index)) || isWarm;
    });
  }

  purge(pack: PackId, index: number): Promise<void> {
    return this.#alone({ pack, index }, async () => {
      await this.#warm.purge(pack, index);
      await this.#cold.purge(pack, index);
    });
  }

  trash(): readonly { pack: PackId; index: number; size: number }[] {
    const cold = this.#cold.trash();
    if (cold.length === 0) return this.#warm.trash();
    const all = [...this.#warm.trash(), ...cold].map((one) => [nameOf(one), one] as const);
    return [...new Map(all).values()];
  }

  async rebuild(): Promise<{ shards: number; quarantined: number }> {
    const warm = await this.#warm.rebuild();
    const cold = await this.#cold.rebuild();
    return { shards: this.usage().shards, quarantined: warm.quarantined + cold.quarantined };
  }

  async *list(first?: number): AsyncIterable<{ pack: PackId; index: number; size: number }> {
    yield* this.#warm.list(first);
    for await (const one of this.#cold.list(first)) {
      if (!this.#warm.indexes(one.pack).includes(one.index)) yield one;
    }
  }

  /** `bytes` are those of this host's disk, which is what its limit is about; `shards` are all that are held. */
  usage(): { shards: number; bytes: number; freeBytes: number } {
    const warm = this.#warm.usage();
    return { ...warm, shards: warm.shards + this.#cold.usage().shards };
  }

  async freeze({ pack, index }: Name, { signal }: Cancel = {}): Promise<void> {
    await this.#alone({ pack, index }, async () => {
      if (!this.#warm.indexes(pack).includes(index)) return;
      signal?.throwIfAborted();
      await copy(this.#warm, this.#cold, { pack, index });
      signal?.throwIfAborted();
      // As it lies there, not as it was sent: what is dropped here must be there.
      const problem = await this.#cold.verify(pack, index);
      if (problem !== undefined) {
        throw new HoldfastError('corrupt', `the cold store did not keep what it took: ${problem}`, {
          next: `holdfast target check ${this.name}`,
        });
      }
      await this.#warm.remove(pack, index);
    });
  }

  async thaw({ pack, index }: Name, { signal }: Cancel = {}): Promise<void> {
    await this.#alone({ pack, index }, async () => {
      if (!this.#cold.indexes(pack).includes(index)) return;
      signal?.throwIfAborted();
      await copy(this.#cold, this.#warm, { pack, index });
      await this.#warm.sync();
      // A store that locks keeps its copy for as long: it is then in both.
      await this.#cold.letGo(pack, index);
    });
  }

  retain(pack: PackId, retention: Retention, options: Cancel = {}): Promise<void> {
    return this.#cold.retain(pack, retention, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** From this host's disk, else from the cold store; a shard may be moved, or found damaged, meanwhile. */
  async #either<Result>(name: Name, ask: (store: ShardStore) => Promise<Result>): Promise<Result> {
    const { pack, index } = name;
    const isIn = (store: ShardStore): boolean => store.indexes(pack).includes(index);
    if (isIn(this.#warm)) {
      try {
        return await ask(this.#warm);
      } catch (error) {
        if (!isAbsence(error) || !isIn(this.#cold)) throw error;
      }
    }
    if (!isIn(this.#cold)) return ask(this.#warm);
    try {
      return await this.#timed(() => ask(this.#cold));
    } catch (error) {
      if (!isAbsence(error) || !isIn(this.#warm)) throw error;
      return ask(this.#warm);
    }
  }

  async #timed<Result>(ask: () => Promise<Result>): Promise<Result> {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    const result = await ask();
    this.#delaysMs.push(clock.monotonicMs() - startMs);
    if (this.#delaysMs.length > samplesMax) this.#delaysMs.shift();
    return result;
  }

  async #alone<Result>(name: Name, work: () => Promise<Result>): Promise<Result> {
    const release = await this.#turns.take(nameOf(name));
    try {
      return await work();
    } finally {
      release();
    }
  }
}

/** Leaves that were just read are checked: by the store that they come from. */
async function copy(from: ShardStore, to: ShardStore, { pack, index }: Name): Promise<void> {
  const head = await from.head(pack, index);
  const writer = await to.write(head);
  try {
    while (writer.nextLeaf < leafCountOf(head)) {
      const bytes = await from.read(pack, index, writer.nextLeaf, limits.pullLeavesMax);
      await writer.append(bytes, { isOwn: true });
    }
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  await writer.finish();
}

function isAbsence(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'not-found' || code === 'corrupt';
}

function nameOf({ pack, index }: Name): string {
  return `${pack}.${index}`;
}
