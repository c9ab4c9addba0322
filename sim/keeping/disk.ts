import { HoldfastError } from '../../src/core/errors.ts';
import type { ShardHead } from '../../src/core/format/shard.ts';
import type { PackId, StatementHash } from '../../src/core/ids.ts';
import { longest } from '../../src/core/policy/lock.ts';
import type { LockLedger, SnapshotLock } from '../../src/ports/lock-ledger.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';

export type Shard = { readonly pack: PackId; readonly index: number; readonly size: number };

/** What a host has on its disk, from one run of its program to the next: names of shards stand for them. */
export class KeepingDisk implements RecordStore {
  readonly held = new Map<string, Shard>();
  readonly trash = new Map<string, Shard>();
  readonly heads = new Map<PackId, ShardHead>();
  readonly locks = new Map<StatementHash, SnapshotLock>();
  readonly records = new Map<string, Uint8Array>();
  isFull = false;

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.records.get(name);
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    if (this.isFull) throw full();
    this.records.set(name, record);
  }

  async remove(name: string): Promise<void> {
    this.records.delete(name);
  }

  async names(): Promise<readonly string[]> {
    return [...this.records.keys()].sort();
  }
}

/** Told before a shard leaves its place. */
export type ShardListener = {
  discarding(shard: Shard): void;
  purging(shard: Shard): void;
};

type Used =
  | 'indexes'
  | 'head'
  | 'list'
  | 'discard'
  | 'recover'
  | 'purge'
  | 'trash'
  | 'sync'
  | 'usage';

/** The shard store of one run. */
export class KeepingShards implements Pick<ShardStore, Used> {
  readonly #disk: KeepingDisk;
  readonly #listener: ShardListener;

  constructor(disk: KeepingDisk, listener: ShardListener) {
    this.#disk = disk;
    this.#listener = listener;
  }

  indexes(pack: PackId): readonly number[] {
    return [0, 1, 2, 3].filter((index) => this.#disk.held.has(shardName({ pack, index })));
  }

  async head(pack: PackId): Promise<ShardHead> {
    return this.#disk.heads.get(pack) as ShardHead;
  }

  async *list(): AsyncGenerator<Shard> {
    yield* [...this.#disk.held.values()];
  }

  async discard(pack: PackId, index: number): Promise<void> {
    const shard = this.#disk.held.get(shardName({ pack, index }));
    if (shard === undefined) return;
    if (this.#disk.isFull) throw full();
    this.#listener.discarding(shard);
    this.#disk.held.delete(shardName(shard));
    this.#disk.trash.set(shardName(shard), shard);
  }

  async recover(pack: PackId, index: number): Promise<boolean> {
    const name = shardName({ pack, index });
    const shard = this.#disk.trash.get(name);
    this.#disk.trash.delete(name);
    if (shard !== undefined) this.#disk.held.set(name, shard);
    return this.#disk.held.has(name);
  }

  async purge(pack: PackId, index: number): Promise<void> {
    const shard = this.#disk.trash.get(shardName({ pack, index }));
    if (shard === undefined) return;
    this.#listener.purging(shard);
    this.#disk.trash.delete(shardName(shard));
  }

  trash(): readonly Shard[] {
    return [...this.#disk.trash.values()];
  }

  async sync(): Promise<void> {}

  usage(): { shards: number; bytes: number; freeBytes: number } {
    const bytes = [...this.#disk.held.values()].reduce((sum, { size }) => sum + size, 0);
    return { shards: this.#disk.held.size, bytes, freeBytes: 0 };
  }
}

/** The lock ledger of one run; `onLock`: told of each lock as it stands now. */
export class KeepingLocks implements LockLedger {
  readonly isDamaged = false;
  readonly #disk: KeepingDisk;
  readonly #onLock: (lock: SnapshotLock) => void;

  constructor(disk: KeepingDisk, onLock: (lock: SnapshotLock) => void) {
    this.#disk = disk;
    this.#onLock = onLock;
  }

  of(snapshot: StatementHash): SnapshotLock | undefined {
    return this.#disk.locks.get(snapshot);
  }

  async extend(locks: readonly SnapshotLock[]): Promise<void> {
    if (locks.length > 0 && this.#disk.isFull) throw full();
    for (const lock of locks) {
      const known = this.of(lock.snapshot) ?? lock;
      const longer = { ...known, ...longest(lock, known) };
      this.#disk.locks.set(lock.snapshot, longer);
      this.#onLock(lock);
    }
  }

  async acceptDamage(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

export function shardName({ pack, index }: { pack: PackId; index: number }): string {
  return `${pack}.${index}`;
}

function full(): HoldfastError {
  return new HoldfastError('disk-full', 'the simulated disk is full');
}
