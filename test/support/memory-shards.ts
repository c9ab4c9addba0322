import { HoldfastError } from '../../src/core/errors.ts';
import type { ShardHead } from '../../src/core/format/shard.ts';
import type { PackId } from '../../src/core/ids.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';

type Shard = { readonly pack: PackId; readonly index: number; readonly size: number };

/** Names and sizes of shards, held and in the trash: what keeping looks at. */
export class MemoryShards
  implements
    Pick<
      ShardStore,
      'indexes' | 'head' | 'list' | 'discard' | 'recover' | 'purge' | 'trash' | 'sync' | 'usage'
    >
{
  readonly #held = new Map<string, Shard>();
  readonly #trash = new Map<string, Shard>();
  readonly #heads = new Map<PackId, Partial<ShardHead>>();
  freeBytes = 0;
  /** Asked before each change. */
  beforeChange: (what: 'discard' | 'recover' | 'purge', pack: PackId) => void = () => {};

  put(shard: Shard, head: Partial<ShardHead> = {}): void {
    this.#held.set(nameOf(shard), shard);
    this.#heads.set(shard.pack, head);
  }

  /** All shards here, as "held" or "trash". */
  places(): Record<string, number> {
    return { held: this.#held.size, trash: this.#trash.size };
  }

  indexes(pack: PackId): readonly number[] {
    return [...this.#held.values()].filter((one) => one.pack === pack).map(({ index }) => index);
  }

  async head(pack: PackId, index: number): Promise<ShardHead> {
    if (!this.#held.has(nameOf({ pack, index }))) throw new HoldfastError('not-found', 'no shard');
    return { ...this.#heads.get(pack), pack, index } as ShardHead;
  }

  async *list(): AsyncGenerator<Shard> {
    yield* [...this.#held.values()];
  }

  async discard(pack: PackId, index: number): Promise<void> {
    this.beforeChange('discard', pack);
    move(this.#held, this.#trash, nameOf({ pack, index }));
  }

  async recover(pack: PackId, index: number): Promise<boolean> {
    this.beforeChange('recover', pack);
    move(this.#trash, this.#held, nameOf({ pack, index }));
    return this.#held.has(nameOf({ pack, index }));
  }

  async purge(pack: PackId, index: number): Promise<void> {
    this.beforeChange('purge', pack);
    this.#trash.delete(nameOf({ pack, index }));
  }

  trash(): readonly Shard[] {
    return [...this.#trash.values()];
  }

  async sync(): Promise<void> {}

  usage(): { shards: number; bytes: number; freeBytes: number } {
    const bytes = [...this.#held.values()].reduce((sum, { size }) => sum + size, 0);
    return { shards: this.#held.size, bytes, freeBytes: this.freeBytes };
  }
}

function nameOf({ pack, index }: { pack: PackId; index: number }): string {
  return `${pack}/${index}`;
}

function move(from: Map<string, Shard>, to: Map<string, Shard>, name: string): void {
  const shard = from.get(name);
  if (shard === undefined) return;
  from.delete(name);
  to.set(name, shard);
}
