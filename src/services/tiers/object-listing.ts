import { concat, utf8 } from '../../base/bytes.ts';
import { idBytes, idOf, type PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { KeyValue } from '../../ports/key-value.ts';
import type { Retention } from '../../ports/object-store.ts';

/** What an object store has of one pack, as this host remembers it. Bit i of a mask is index i. */
export type ObjectHolding = {
  readonly held: number;
  /** No longer held, and not deleted yet. */
  readonly trashed: number;
  /** Of each shard, and of each object: what stands before the shard's bytes in it has one size for all of a pack. */
  readonly shardSize: number;
  readonly objectSize: number;
  /** The store refuses to delete any of them before; 0: it was not asked to for all of them. */
  readonly lockedUntilMs: number;
  /** The same, of locks that nobody shortens: never after `lockedUntilMs`. */
  readonly complianceUntilMs: number;
};

/** Nothing is known to be locked. */
export const unlocked = { lockedUntilMs: 0, complianceUntilMs: 0 } as const;

export const emptyHolding: ObjectHolding = {
  ...{ held: 0, trashed: 0, shardSize: 0, objectSize: 0, ...unlocked },
};

const kinds = { claimed: 0, pack: 1, end: 2 } as const;
const valueSize = 32;

/**
 * What lies in an object store, in this host's index: a store that is away, or asks money for each question, cannot be
 * asked once per pack of a manifest. Every change is durable before it counts, so a crash leaves nothing to be found out.
 * Keys: prefix ‖ 1 ‖ pack id (32) -> held (4) ‖ trashed (4) ‖ shard size (4) ‖ object size (4) ‖ locked until (8)
 * ‖ locked until, whoever asks (8); prefix ‖ 0 -> empty, once the store was found to be this host's and everything in it is listed.
 */
export class ObjectListing {
  readonly #index: KeyValue;
  readonly #prefix: Uint8Array;
  readonly #trash = new Map<PackId, ObjectHolding>();
  #shards = 0;
  #bytes = 0;

  private constructor(index: KeyValue, prefix: string) {
    this.#index = index;
    this.#prefix = utf8(prefix);
  }

  static async open(index: KeyValue, prefix: string): Promise<ObjectListing> {
    const listing = new ObjectListing(index, prefix);
    for await (const { pack, holding } of listing.packs()) listing.#count(pack, holding);
    return listing;
  }

  get usage(): { shards: number; bytes: number } {
    return { shards: this.#shards, bytes: this.#bytes };
  }

  /** Everything in the store that is ours is listed. */
  get isComplete(): boolean {
    return this.#index.get(this.#key(kinds.claimed)) !== undefined;
  }

  async setComplete(): Promise<void> {
    const key = this.#key(kinds.claimed);
    await this.#index.batch([{ type: 'put', key, value: new Uint8Array() }], { durable: true });
  }

  of(pack: PackId): ObjectHolding {
    return decode(this.#index.get(this.#key(kinds.pack, idBytes(pack))));
  }

  /** Durable when resolved. Callers change one pack once at a time. */
  async set(pack: PackId, holding: ObjectHolding): Promise<void> {
    const key = this.#key(kinds.pack, idBytes(pack));
    const before = this.of(pack);
    const isGone = holding.held === 0 && holding.trashed === 0;
    await this.#index.batch(
      [isGone ? { type: 'delete', key } : { type: 'put', key, value: encode(holding) }],
      { durable: true },
    );
    this.#shards -= bitsOf(before.held).length;
    this.#bytes -= bitsOf(before.held).length * before.shardSize;
    this.#trash.delete(pack);
    this.#count(pack, holding);
  }

  /** Packs of which something is in the trash. */
  trash(): ReadonlyMap<PackId, ObjectHolding> {
    return this.#trash;
  }

  /** In the order of ids; or those whose id begins with a byte. */
  async *packs(first?: number): AsyncIterable<{ pack: PackId; holding: ObjectHolding }> {
    const start = first === undefined ? new Uint8Array() : Uint8Array.of(first);
    const isLast = first === undefined || first === 0xff;
    const to = isLast ? this.#key(kinds.end) : this.#key(kinds.pack, Uint8Array.of(first + 1));
    for await (const { key, value } of this.#index.range(this.#key(kinds.pack, start), to)) {
      yield { pack: idOf(key.subarray(this.#prefix.length + 1)), holding: decode(value) };
    }
  }

  #count(pack: PackId, holding: ObjectHolding): void {
    const count = bitsOf(holding.held).length;
    this.#shards += count;
    this.#bytes += count * holding.shardSize;
    if (holding.trashed !== 0) this.#trash.set(pack, holding);
  }

  #key(kind: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
    return concat([this.#prefix, Uint8Array.of(kind), rest]);
  }
}

/** The store was asked for as much already, of this mode or a stricter one. */
export function isRetained(holding: ObjectHolding, { mode, untilMs }: Retention): boolean {
  const { lockedUntilMs, complianceUntilMs } = holding;
  return (mode === 'compliance' ? complianceUntilMs : lockedUntilMs) >= untilMs;
}

/** With what the store has granted for all of them. */
export function withRetention(holding: ObjectHolding, { mode, untilMs }: Retention): ObjectHolding {
  const { lockedUntilMs, complianceUntilMs } = holding;
  return {
    ...holding,
    lockedUntilMs: Math.max(lockedUntilMs, untilMs),
    complianceUntilMs:
      mode === 'compliance' ? Math.max(complianceUntilMs, untilMs) : complianceUntilMs,
  };
}

/** The set bits, ascending. */
export function bitsOf(mask: number): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < limits.shardsMax; bit++) if ((mask >>> bit) & 1) bits.push(bit);
  return bits;
}

export function withBit(mask: number, bit: number): number {
  return (mask | (1 << bit)) >>> 0;
}

export function withoutBit(mask: number, bit: number): number {
  return (mask & ~(1 << bit)) >>> 0;
}

function encode(holding: ObjectHolding): Uint8Array {
  const value = new Uint8Array(valueSize);
  const view = new DataView(value.buffer);
  view.setUint32(0, holding.held);
  view.setUint32(4, holding.trashed);
  view.setUint32(8, holding.shardSize);
  view.setUint32(12, holding.objectSize);
  view.setFloat64(16, holding.lockedUntilMs);
  view.setFloat64(24, holding.complianceUntilMs);
  return value;
}

/** A value that is not ours reads as nothing held. */
function decode(value: Uint8Array | undefined): ObjectHolding {
  if (value?.length !== valueSize) return emptyHolding;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return {
    held: view.getUint32(0),
    trashed: view.getUint32(4),
    shardSize: view.getUint32(8),
    objectSize: view.getUint32(12),
    lockedUntilMs: view.getFloat64(16),
    complianceUntilMs: view.getFloat64(24),
  };
}
