import { assert } from '../../base/assert.ts';
import { BoundedCache } from '../../base/bounded-cache.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { Turns } from '../../base/turns.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import {
  decodeShardFileHead,
  encodeShardFileHead,
  type ShardHead,
  shardFileHeadSizeMax,
  shardSizeOf,
} from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { KeyValue } from '../../ports/key-value.ts';
import type { ObjectStore, Retention, StoreAbilities } from '../../ports/object-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore, ShardWriter } from '../../ports/shard-store.ts';
import {
  bitsOf,
  isRetained,
  ObjectListing,
  type ObjectHolding,
  unlocked,
  withBit,
  withoutBit,
  withRetention,
} from './object-listing.ts';
import { surveyObjects } from './object-survey.ts';
import { finishedWriter, newPartial, ObjectWriter, type PartialObject } from './object-writer.ts';
import {
  checkObject,
  type Damage,
  damaged,
  keyOf,
  notHeld,
  objectSizeMax,
  parseObject,
  readObjectLeaves,
  shardOfKey,
  type ShardName,
  type ShardObject,
} from './shard-object.ts';
import { StoreClaim } from './store-claim.ts';

export type ObjectShardsOptions = {
  readonly objects: ObjectStore;
  /** Closed by its owner, after this. */
  readonly index: KeyValue;
  readonly keyPrefix: string;
  /** Of this host: nobody else's. */
  readonly owner: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
};

/** Heads kept parsed: about 12 KiB each. */
const headsMax = 256;
/** Shards that were begun and given up: up to a pack each. */
const partialsMax = 2;

/**
 * Shards as objects of a store that is far away. What is held is what the listing says: an object store that does not
 * answer has lost nothing. A shard's life: object created -> listed, durably; and back: object removed -> unlisted. A
 * crash in between leaves an object that nobody lists, which the next writer of that shard finds and looks at.
 */
export class ObjectShards implements ShardStore {
  readonly #options: ObjectShardsOptions;
  readonly #objects: ObjectStore;
  readonly #listing: ObjectListing;
  readonly #claim: StoreClaim;
  readonly #heads = new BoundedCache<string, ShardObject>(headsMax);
  readonly #partials = new BoundedCache<string, PartialObject>(partialsMax);
  readonly #turns = new Turns();
  /** One change of the listing at a time. */
  readonly #changes = new Semaphore(1);
  #abilities: StoreAbilities | undefined;
  #isClosed = false;

  private constructor(options: ObjectShardsOptions, listing: ObjectListing) {
    this.#options = options;
    this.#objects = options.objects;
    this.#listing = listing;
    this.#claim = new StoreClaim(options.objects, options.owner);
  }

  /** A store that is away for now is opened all the same. @throws HoldfastError config-invalid (another host's) */
  static async open(options: ObjectShardsOptions): Promise<ObjectShards> {
    const listing = await ObjectListing.open(options.index, options.keyPrefix);
    const shards = new ObjectShards(options, listing);
    if (listing.isComplete) return shards;
    try {
      await shards.look();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || code === 'config-invalid') throw error;
      const reason = (error as Error).message;
      options.log.log('warn', storageMessages.coldStoreNotYetUsable, { code, reason });
    }
    return shards;
  }

  get name(): string {
    return this.#objects.name;
  }

  /** Whether the store is there and ours, and what it can do. @throws HoldfastError */
  async look(options: Cancel = {}): Promise<StoreAbilities> {
    const isNew = !this.#listing.isComplete;
    await this.#claim.require({ mayBeNew: isNew }, options);
    this.#abilities ??= await this.#objects.abilities(options);
    if (isNew) {
      if (await this.#hasShards(options)) await this.rebuild();
      await this.#listing.setComplete();
    }
    return this.#abilities;
  }

  /** A new store is looked through in one question, not in one for each part. */
  async #hasShards(options: Cancel): Promise<boolean> {
    for await (const { key } of this.#objects.list('shards/', options)) {
      if (shardOfKey(key) !== undefined) return true;
    }
    return false;
  }

  indexes(pack: PackId): readonly number[] {
    return bitsOf(this.#listing.of(pack).held);
  }

  async head(pack: PackId, index: number): Promise<ShardHead> {
    return (await this.#shard({ pack, index })).head;
  }

  async read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    assert(leaf >= 0 && count >= 0, 'leaves are counted from 0');
    const name = { pack, index };
    const shard = await this.#shard(name);
    return this.#sound(name, await readObjectLeaves(this.#objects, shard, leaf, count));
  }

  async verify(pack: PackId, index: number): Promise<string | undefined> {
    const name = { pack, index };
    try {
      if (!this.#isHeld(name)) throw notHeld(name);
      const whole = { from: 0, size: objectSizeMax };
      const bytes = await this.#objects.read(keyOf(name), whole);
      await this.#sound(name, bytes && checkObject(bytes, name));
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'corrupt' || code === 'not-found') return (error as Error).message;
      throw error;
    }
  }

  /** Whether the object is there and as large as it was. @returns undefined when so */
  async glance(pack: PackId, index: number): Promise<string | undefined> {
    const name = { pack, index };
    if (!this.#isHeld(name)) return notHeld(name).message;
    const { objectSize } = this.#listing.of(pack);
    const size = await this.#objects.sizeOf(keyOf(name));
    if (size === objectSize) return undefined;
    if (size === undefined) return (await this.#gone(name)).message;
    const problem = `the object has ${size} bytes instead of ${objectSize}`;
    await this.#setAside(name, problem);
    return damaged(name, { problem }).message;
  }

  async write(head: ShardHead): Promise<ShardWriter> {
    const fileHead = encodeShardFileHead(head);
    // Reading it back is the check that its hashes agree: what is stored must open again.
    decodeShardFileHead(fileHead);
    const key = keyOf(head);
    const release = await this.#turns.take(key);
    if (this.#isClosed || this.#isHeld(head)) {
      release();
      if (this.#isClosed) throw new HoldfastError('interrupted', 'the shard store is closed');
      return finishedWriter(head);
    }
    const partial = this.#partials.get(key) ?? newPartial(head, fileHead);
    this.#partials.delete(key);
    return new ObjectWriter(head, partial, {
      publish: (object) => this.#publish(head, object),
      keep: (kept) => this.#partials.set(key, kept),
      release,
    });
  }

  async #publish(head: ShardHead, object: Uint8Array): Promise<void> {
    await this.look();
    const key = keyOf(head);
    const isNew = await this.#objects.create(key, object);
    if (!isNew && !(await this.#isSoundObject(head))) await this.#objects.replace(key, object);
    const sizes = { shardSize: shardSizeOf(head), objectSize: object.length };
    await this.#change(head.pack, (holding) => ({
      ...{ ...holding, ...sizes },
      held: withBit(holding.held, head.index),
      trashed: withoutBit(holding.trashed, head.index),
      // Whatever was found there, or lies below what was put there: nobody has asked for its lock.
      ...unlocked,
    }));
  }

  async #isSoundObject(name: ShardName): Promise<boolean> {
    const bytes = await this.#objects.read(keyOf(name), { from: 0, size: objectSizeMax });
    return bytes !== undefined && !('problem' in checkObject(bytes, name));
  }

  /** Each object is durable once it is created. */
  async sync(): Promise<void> {}

  async remove(pack: PackId, index: number): Promise<void> {
    await this.#alone({ pack, index }, async (name) => {
      const { held, trashed } = this.#listing.of(pack);
      this.#partials.delete(keyOf(name));
      if ((((held | trashed) >>> index) & 1) === 0) return;
      await this.#objects.remove(keyOf(name));
      await this.#unlist(name);
    });
  }

  async discard(pack: PackId, index: number): Promise<void> {
    await this.#alone({ pack, index }, (name) =>
      this.#change(pack, (holding) => {
        if (!this.#isHeld(name)) return holding;
        const { held, trashed } = holding;
        return { ...holding, held: withoutBit(held, index), trashed: withBit(trashed, index) };
      }),
    );
  }

  recover(pack: PackId, index: number): Promise<boolean> {
    return this.#alone({ pack, index }, async (name) => {
      if (this.#isHeld(name)) return true;
      if (((this.#listing.of(pack).trashed >>> index) & 1) === 0) return false;
      await this.#change(pack, (holding) => ({
        ...holding,
        held: withBit(holding.held, index),
        trashed: withoutBit(holding.trashed, index),
      }));
      return (await this.glance(pack, index)) === undefined;
    });
  }

  async purge(pack: PackId, index: number): Promise<void> {
    await this.#alone({ pack, index }, async (name) => {
      if (((this.#listing.of(pack).trashed >>> index) & 1) === 0) return;
      // Else it stays in the trash, and is tried again.
      if (await this.#isRemoved(name)) await this.#unlist(name);
    });
  }

  /** Removes a shard that is elsewhere too; one that the store keeps stays held. */
  async letGo(pack: PackId, index: number): Promise<void> {
    await this.#alone({ pack, index }, async (name) => {
      if (this.#isHeld(name) && (await this.#isRemoved(name))) await this.#unlist(name);
    });
  }

  /** A lock that is known is no trouble; any other refusal is, e.g. credentials that are no longer valid. */
  async #isRemoved(name: ShardName): Promise<boolean> {
    try {
      await this.#objects.remove(keyOf(name));
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'not-permitted') throw error;
      const isLocked = this.#listing.of(name.pack).lockedUntilMs > this.#options.clock.nowMs();
      const context = { ...name, code, reason: (error as Error).message };
      const level = isLocked ? 'info' : 'warn';
      this.#options.log.log(level, storageMessages.coldStoreKeepsShard, context);
      return false;
    }
  }

  trash(): readonly { pack: PackId; index: number; size: number }[] {
    return [...this.#listing.trash()].flatMap(([pack, { trashed, objectSize }]) =>
      bitsOf(trashed).map((index) => ({ pack, index, size: objectSize })),
    );
  }

  /** @throws HoldfastError store-unreachable: where a disk is not mounted, nothing has been lost */
  async rebuild(): Promise<{ shards: number; quarantined: number }> {
    await this.#claim.require({ mayBeNew: false });
    let quarantined = 0;
    await surveyObjects(this.#objects, {
      known: (pack) => this.#listing.of(pack),
      listed: (first) => this.#listing.packs(first),
      alone: (work) => this.#exclusively(work),
      replace: (pack, holding) => this.#listing.set(pack, holding),
      onDamage: (name, problem) => {
        quarantined++;
        this.#options.log.log('error', storageMessages.coldObjectDamaged, { ...name, problem });
      },
    });
    this.#heads.clear();
    return { shards: this.#listing.usage.shards, quarantined };
  }

  async *list(first?: number): AsyncIterable<{ pack: PackId; index: number; size: number }> {
    for await (const { pack, holding } of this.#listing.packs(first)) {
      for (const index of bitsOf(holding.held)) yield { pack, index, size: holding.shardSize };
    }
  }

  /** As if there was always room: a store that is full says so when it is. */
  usage(): { shards: number; bytes: number; freeBytes: number } {
    return { ...this.#listing.usage, freeBytes: Number.MAX_SAFE_INTEGER };
  }

  /** Has the store refuse to delete what it holds of a pack. @throws HoldfastError not-permitted where it cannot */
  async retain(pack: PackId, retention: Retention, options: Cancel = {}): Promise<void> {
    const holding = this.#listing.of(pack);
    if (isRetained(holding, retention)) return;
    for (const index of bitsOf((holding.held | holding.trashed) >>> 0)) {
      await this.#objects.retain(keyOf({ pack, index }), retention, options);
    }
    await this.#change(pack, (known) => withRetention(known, retention));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  #isHeld({ pack, index }: ShardName): boolean {
    return ((this.#listing.of(pack).held >>> index) & 1) === 1;
  }

  async #shard(name: ShardName): Promise<ShardObject> {
    if (!this.#isHeld(name)) throw notHeld(name);
    const key = keyOf(name);
    const cached = this.#heads.get(key);
    if (cached !== undefined) return cached;
    const bytes = await this.#objects.read(key, { from: 0, size: shardFileHeadSizeMax });
    const shard = await this.#sound(name, bytes && parseObject(bytes, name));
    this.#heads.set(key, shard);
    return shard;
  }

  /** What was read, when it is sound; else the shard is unlisted. @throws HoldfastError not-found | corrupt */
  async #sound<Result extends object>(
    name: ShardName,
    found: Result | Damage | undefined,
  ): Promise<Result> {
    if (found === undefined) throw await this.#gone(name);
    if (!('problem' in found)) return found;
    await this.#setAside(name, found.problem);
    throw damaged(name, found);
  }

  /** Unlists a shard whose object has gone, if the store itself has not. @returns what to throw */
  async #gone(name: ShardName): Promise<HoldfastError> {
    await this.#claim.require({ mayBeNew: false });
    if (this.#isHeld(name)) {
      await this.#unlist(name);
      this.#options.log.log('error', storageMessages.coldObjectGone, { ...name });
    }
    return notHeld(name);
  }

  /** The object stays for a look at it, until the shard is stored anew. */
  async #setAside(name: ShardName, problem: string): Promise<void> {
    await this.#unlist(name);
    this.#options.log.log('error', storageMessages.coldShardDamaged, { ...name, problem });
  }

  async #unlist({ pack, index }: ShardName): Promise<void> {
    await this.#change(pack, (holding) => ({
      ...holding,
      held: withoutBit(holding.held, index),
      trashed: withoutBit(holding.trashed, index),
    }));
    this.#heads.delete(keyOf({ pack, index }));
  }

  /** While nobody else writes or removes the shard. */
  async #alone<Result>(name: ShardName, work: (name: ShardName) => Promise<Result>) {
    const release = await this.#turns.take(keyOf(name));
    try {
      return await work(name);
    } finally {
      release();
    }
  }

  #change(pack: PackId, next: (holding: ObjectHolding) => ObjectHolding): Promise<void> {
    return this.#exclusively(() => this.#listing.set(pack, next(this.#listing.of(pack))));
  }

  async #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = await this.#changes.acquire();
    try {
      return await work();
    } finally {
      release();
    }
  }
}
