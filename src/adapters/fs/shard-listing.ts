import { concat, utf8 } from '../../base/bytes.ts';
import { idBytes, idOf, type PackId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { KeyValue, KeyValueOperation } from '../../ports/key-value.ts';
import type { ShardName } from './shard-file.ts';

/** The shards held of one pack: bit i of `mask` is index i; all have the same size. */
export type PackHolding = { readonly mask: number; readonly size: number };

/** Changes written to the index at once by a survey. */
const batchMax = 1000;

const kinds = { cleanMark: 0, pack: 1, end: 2 } as const;

/**
 * Which shards are held, in the host's index: read once per pack of a manifest, so the files must not be asked.
 * Keys: prefix ‖ 1 ‖ pack id (32) -> mask (4) ‖ shard size (4); prefix ‖ 0 -> empty, there after a clean close.
 * Callers let only one change run at a time.
 */
export class ShardListing {
  readonly #index: KeyValue;
  readonly #prefix: Uint8Array;
  #shards = 0;
  #bytes = 0;

  constructor(index: KeyValue, prefix: string) {
    this.#index = index;
    this.#prefix = utf8(prefix);
  }

  get shards(): number {
    return this.#shards;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts what is listed. @returns whether the last owner closed it, so that it can be trusted. */
  async open(): Promise<boolean> {
    for await (const { holding } of this.packs()) this.#count(holding, 1);
    const mark = this.#key(kinds.cleanMark);
    if (this.#index.get(mark) === undefined) return false;
    // Durable: a mark that outlived a power failure would vouch for what came after it.
    await this.#index.batch([{ type: 'delete', key: mark }], { durable: true });
    return true;
  }

  async close(): Promise<void> {
    await this.#index.batch(
      [{ type: 'put', key: this.#key(kinds.cleanMark), value: new Uint8Array() }],
      { durable: true },
    );
  }

  holding(pack: PackId): PackHolding {
    return decode(this.#index.get(this.#key(kinds.pack, idBytes(pack))));
  }

  has({ pack, index }: ShardName): boolean {
    return (this.holding(pack).mask & (1 << index)) !== 0;
  }

  async add({ pack, index }: ShardName, size: number): Promise<void> {
    const { mask } = this.holding(pack);
    await this.replace(new Map([[pack, { mask: (mask | (1 << index)) >>> 0, size }]]));
  }

  async remove({ pack, index }: ShardName): Promise<void> {
    const { mask, size } = this.holding(pack);
    await this.replace(new Map([[pack, { mask: (mask & ~(1 << index)) >>> 0, size }]]));
  }

  /** Sets what is held of these packs; an empty mask unlists. */
  async replace(holdings: ReadonlyMap<PackId, PackHolding>): Promise<void> {
    const changes = [...holdings].filter(([pack, next]) => {
      const { mask, size } = this.holding(pack);
      return mask !== next.mask || (mask !== 0 && size !== next.size);
    });
    for (let at = 0; at < changes.length; at += batchMax) {
      const step = changes.slice(at, at + batchMax);
      const before = step.map(([pack]) => this.holding(pack));
      await this.#index.batch(step.map(([pack, holding]) => this.#operation(pack, holding)));
      for (const holding of before) this.#count(holding, -1);
      for (const [, holding] of step) this.#count(holding, 1);
    }
  }

  /** Every pack listed, in order; or those whose id begins with one byte. */
  async *packs(first?: number): AsyncIterable<{ pack: PackId; holding: PackHolding }> {
    const [from, to] =
      first === undefined
        ? [this.#key(kinds.pack), this.#key(kinds.end)]
        : [
            this.#key(kinds.pack, Uint8Array.of(first)),
            first === 0xff ? this.#key(kinds.end) : this.#key(kinds.pack, Uint8Array.of(first + 1)),
          ];
    for await (const { key, value } of this.#index.range(from, to)) {
      yield { pack: idOf(key.subarray(this.#prefix.length + 1)), holding: decode(value) };
    }
  }

  #operation(pack: PackId, { mask, size }: PackHolding): KeyValueOperation {
    const key = this.#key(kinds.pack, idBytes(pack));
    if (mask === 0) return { type: 'delete', key };
    const value = new Uint8Array(8);
    const view = new DataView(value.buffer);
    view.setUint32(0, mask);
    view.setUint32(4, size);
    return { type: 'put', key, value };
  }

  #count(holding: PackHolding, sign: 1 | -1): void {
    const shards = indexesOf(holding.mask).length;
    this.#shards += sign * shards;
    this.#bytes += sign * shards * holding.size;
  }

  #key(kind: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
    return concat([this.#prefix, Uint8Array.of(kind), rest]);
  }
}

/** The set bits, ascending. */
export function indexesOf(mask: number): number[] {
  const indexes: number[] = [];
  for (let index = 0; index < limits.shardsMax; index++) {
    if ((mask & (1 << index)) !== 0) indexes.push(index);
  }
  return indexes;
}

/** A value that is not ours reads as nothing held: a survey of the files finds what is there. */
function decode(value: Uint8Array | undefined): PackHolding {
  if (value === undefined || value.length !== 8) return { mask: 0, size: 0 };
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return { mask: view.getUint32(0), size: view.getUint32(4) };
}
