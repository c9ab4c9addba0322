import { HoldfastError } from '../../src/core/errors.ts';
import type { ObjectStore, Retention, StoreAbilities } from '../../src/ports/object-store.ts';

/** An object store in memory, which can be switched off, and can lock. */
export class MemoryObjects implements ObjectStore {
  readonly name = 'memory://objects';
  readonly objects = new Map<string, Uint8Array>();
  readonly locks = new Map<string, Retention>();
  readonly canLock: boolean;
  isAway = false;
  /** Times that bytes were read. */
  reads = 0;
  /** What each write is made into, as by a store that lies. */
  spoil: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  /** Called before each write and each removal: what it throws is thrown. */
  before: (action: 'write' | 'remove', key: string) => void = () => {};
  #nowMs: () => number;

  constructor({ canLock = false, nowMs = () => Date.now() } = {}) {
    this.canLock = canLock;
    this.#nowMs = nowMs;
  }

  async abilities(): Promise<StoreAbilities> {
    this.#ask();
    return { canLock: this.canLock, keepsVersions: false };
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    this.#ask();
    this.before('write', key);
    if (this.objects.has(key)) return false;
    this.objects.set(key, this.spoil(bytes.slice()));
    return true;
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    this.#ask();
    this.before('write', key);
    this.objects.set(key, this.spoil(bytes.slice()));
  }

  async read(
    key: string,
    { from, size }: { from: number; size: number },
  ): Promise<Uint8Array | undefined> {
    this.#ask();
    this.reads++;
    return this.objects.get(key)?.slice(from, from + size);
  }

  async sizeOf(key: string): Promise<number | undefined> {
    this.#ask();
    return this.objects.get(key)?.length;
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size: number }> {
    this.#ask();
    for (const [key, { length }] of [...this.objects]) {
      if (key.startsWith(prefix)) yield { key, size: length };
    }
  }

  async retain(key: string, retention: Retention): Promise<void> {
    this.#ask();
    if (!this.canLock) throw new HoldfastError('not-permitted', 'it cannot lock');
    const { mode, untilMs } = this.locks.get(key) ?? { mode: 'governance', untilMs: 0 };
    const isStricter = retention.mode === 'compliance' && mode === 'governance';
    if (untilMs > retention.untilMs || (untilMs === retention.untilMs && !isStricter)) return;
    this.locks.set(key, retention);
  }

  async remove(key: string): Promise<void> {
    this.#ask();
    this.before('remove', key);
    if ((this.locks.get(key)?.untilMs ?? 0) > this.#nowMs()) {
      throw new HoldfastError('not-permitted', 'it is locked');
    }
    this.objects.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #ask(): void {
    if (this.isAway) throw new HoldfastError('store-unreachable', 'the store is away');
  }
}
