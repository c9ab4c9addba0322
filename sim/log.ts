import { assert } from '../src/base/assert.ts';
import { toHex } from '../src/base/bytes.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { FactStore, LogHead, StatementLog, StreamName } from '../src/ports/statement-log.ts';
import type { Prng } from './prng.ts';
import type { Life, World } from './world.ts';

type Entry = { readonly hash: Uint8Array; readonly envelope: Uint8Array };
export type NewEntry = Entry & { readonly sequence: number };
type Sequence = { readonly name: StreamName; readonly entries: Entry[] };

/** What a host's disk holds, from one run of its program to the next. */
export class SimDisk {
  readonly world: World;
  readonly random: Prng;
  readonly sequences = new Map<string, Sequence>();
  readonly facts = new Map<string, Uint8Array>();
  /** Written and not yet synced: each is on the disk after a crash, or is not. */
  readonly unsynced = new Set<() => void>();
  /** Every write is refused meanwhile. */
  isFull = false;
  syncMs = { min: 1, max: 20 };

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork();
  }

  /** Power off: of what was written last, and not synced, the seed decides what has reached the disk. */
  crash(): void {
    for (const keep of this.unsynced) {
      const isKept = this.random.chance(500);
      this.world.meet(isKept ? 'unsynced write kept by a crash' : 'unsynced write lost in a crash');
      if (isKept) keep();
    }
    this.unsynced.clear();
  }

  /** Writes, syncs, and then calls `keep`, unless there is a crash before. */
  async write(life: Life, keep: () => void): Promise<void> {
    if (this.isFull) throw new HoldfastError('disk-full', 'the simulated disk is full');
    this.unsynced.add(keep);
    await this.#pause(life);
    this.unsynced.delete(keep);
    keep();
  }

  #pause(life: Life): Promise<void> {
    const { min, max } = this.syncMs;
    return new Promise((resolve) => {
      this.world.after(this.random.between(min, max), () => {
        if (life.isAlive) resolve();
      });
    });
  }

  add(name: StreamName, entry: NewEntry): void {
    const key = keyOf(name);
    const sequence = this.sequences.get(key) ?? { name, entries: [] };
    assert(entry.sequence === sequence.entries.length + 1, 'an entry follows the newest one');
    sequence.entries.push({ hash: entry.hash, envelope: entry.envelope });
    this.sequences.set(key, sequence);
  }

  /** Takes the newest entries of a sequence away, as an old image of the disk would. */
  rollBack(name: StreamName, count: number): void {
    const sequence = this.sequences.get(keyOf(name));
    sequence?.entries.splice(sequence.entries.length - count, count);
    if (sequence?.entries.length === 0) this.sequences.delete(keyOf(name));
  }

  envelopes(name: StreamName): readonly Uint8Array[] {
    return (this.sequences.get(keyOf(name))?.entries ?? []).map(({ envelope }) => envelope);
  }

  hashes(name: StreamName): readonly string[] {
    return (this.sequences.get(keyOf(name))?.entries ?? []).map(({ hash }) => toHex(hash));
  }

  heads(): LogHead[] {
    return [...this.sequences.values()].map(headOf);
  }
}

/** The statement log of one run: an append is seen, and resolves, when it has been synced. */
export class SimLog implements StatementLog {
  readonly #disk: SimDisk;
  readonly #life: Life;

  constructor(disk: SimDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  heads(): readonly LogHead[] {
    return this.#disk.heads();
  }

  async putAside(): Promise<readonly string[]> {
    return [];
  }

  head(name: StreamName): LogHead | undefined {
    const found = this.#disk.sequences.get(keyOf(name));
    return found === undefined ? undefined : headOf(found);
  }

  async append({ writer, stream }: StreamName, entry: NewEntry): Promise<void> {
    const name = { writer, stream };
    assert(entry.sequence === (this.head(name)?.sequence ?? 0) + 1, 'entries come in order');
    const { sequence } = entry;
    const copy = { sequence, hash: entry.hash.slice(), envelope: entry.envelope.slice() };
    await this.#disk.write(this.#life, () => this.#disk.add(name, copy));
  }

  async read(name: StreamName, from: number, count: number): Promise<Uint8Array[]> {
    const envelopes = this.#disk.envelopes(name).slice(from - 1, from - 1 + count);
    return envelopes.map((envelope) => envelope.slice());
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The fact store of one run. */
export class SimFacts implements FactStore {
  readonly #disk: SimDisk;
  readonly #life: Life;

  constructor(disk: SimDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  async get(hash: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#disk.facts.get(toHex(hash))?.slice();
  }

  async has(hash: Uint8Array): Promise<boolean> {
    return this.#disk.facts.has(toHex(hash));
  }

  async put(hash: Uint8Array, fact: Uint8Array): Promise<void> {
    const copy = fact.slice();
    await this.#disk.write(this.#life, () => this.#disk.facts.set(toHex(hash), copy));
  }
}

function keyOf({ writer, stream }: StreamName): string {
  return `${writer}/${stream}`;
}

function headOf({ name, entries }: Sequence): LogHead {
  return { ...name, sequence: entries.length, hash: (entries.at(-1) as Entry).hash };
}
