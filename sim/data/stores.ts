import { compare, equal, toHex } from '../../src/base/bytes.ts';
import { hash as hashFor } from '../../src/core/crypto/hash.ts';
import type { GenerationStart, GenerationStore } from '../../src/ports/generation-store.ts';
import { type FactHash, idBytes } from '../../src/core/ids.ts';
import type { KeyRecordStore } from '../../src/ports/key-records.ts';
import type { KeyValue, KeyValueOperation } from '../../src/ports/key-value.ts';
import type { SecretStore } from '../../src/ports/secrets.ts';
import type { FactStore, StreamName } from '../../src/ports/statement-log.ts';
import type { Prng } from '../prng.ts';
import type { Life } from '../world.ts';
import { type NewEntry, SimLog } from '../log.ts';
import { type Device, Trust } from './device.ts';

/** The statement log of one run: after a failed write it takes no more. */
export class DataLog extends SimLog {
  readonly #trust = new Trust();

  override async append(name: StreamName, entry: NewEntry): Promise<void> {
    this.#trust.check();
    await this.#trust.of(super.append(name, entry));
  }
}

/** The facts of one run. One that no longer matches its name is as good as gone. */
export class DataFacts implements FactStore {
  readonly #device: Device;
  readonly #life: Life;

  constructor(device: Device, life: Life) {
    this.#device = device;
    this.#life = life;
  }

  async get(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const fact = this.#device.facts.get(toHex(hash));
    if (fact === undefined || equal(hashFor('fact', fact), hash)) return fact?.slice();
    this.#device.facts.delete(toHex(hash));
    this.#device.world.meet('damaged fact found');
    return undefined;
  }

  async has(hash: Uint8Array): Promise<boolean> {
    return this.#device.facts.has(toHex(hash));
  }

  async put(hash: Uint8Array, fact: Uint8Array): Promise<void> {
    const copy = fact.slice();
    const name = toHex(hash);
    if (this.#device.facts.has(name)) return this.#device.pause(this.#life);
    await this.#device.write(this.#life, () => this.#device.facts.set(name, copy));
  }
}

export class SimSecrets implements SecretStore {
  readonly #secrets: Map<string, Uint8Array>;
  readonly #device: Device;
  readonly #life: Life;

  constructor(secrets: Map<string, Uint8Array>, device: Device, life: Life) {
    this.#secrets = secrets;
    this.#device = device;
    this.#life = life;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#secrets.get(name)?.slice();
  }

  async write(name: string, secret: Uint8Array): Promise<void> {
    const copy = secret.slice();
    await this.#device.write(this.#life, () => this.#secrets.set(name, copy));
  }
}

/** Key records of one run. Their loss is made good by the other members. */
export class SimKeyRecords implements KeyRecordStore {
  readonly #records: Map<FactHash, Uint8Array>;
  readonly #device: Device;
  readonly #life: Life;

  constructor(records: Map<FactHash, Uint8Array>, device: Device, life: Life) {
    this.#records = records;
    this.#device = device;
    this.#life = life;
  }

  async list(): Promise<readonly FactHash[]> {
    return [...this.#records.keys()].sort();
  }

  async get(hash: FactHash): Promise<Uint8Array | undefined> {
    const record = this.#records.get(hash);
    if (record === undefined || !equal(hashFor('fact', record), idBytes(hash))) return undefined;
    return record.slice();
  }

  async has(hash: FactHash): Promise<boolean> {
    return (await this.get(hash)) !== undefined;
  }

  async put(hash: FactHash, record: Uint8Array): Promise<void> {
    const copy = record.slice();
    await this.#device.write(this.#life, () => this.#records.set(hash, copy));
  }

  async remove(hash: FactHash): Promise<void> {
    await this.#device.write(this.#life, () => this.#records.delete(hash));
  }
}

/** Decrees are not met here. */
export class SimGenerations implements GenerationStore {
  #start: GenerationStart | undefined;

  async read(): Promise<GenerationStart | undefined> {
    return this.#start;
  }

  async write(start: GenerationStart): Promise<void> {
    this.#start = start;
  }
}

type Batch = readonly KeyValueOperation[];

/** What of the index is on the disk, and what a crash may take: the newest batches, never one without those after. */
export class IndexFile {
  readonly entries = new Map<string, Uint8Array>();
  /** Each is undone by its own list of what stood there before. */
  readonly unsynced: { readonly undo: readonly [string, Uint8Array | undefined][] }[] = [];

  apply(batch: Batch): void {
    const undo = batch.map(({ key }): [string, Uint8Array | undefined] => {
      const name = nameOf(key);
      return [name, this.entries.get(name)];
    });
    this.unsynced.push({ undo });
    for (const operation of batch) {
      const name = nameOf(operation.key);
      if (operation.type === 'put') this.entries.set(name, operation.value.slice());
      else this.entries.delete(name);
    }
  }

  crash(random: Prng): number {
    const lost = random.below(this.unsynced.length + 1);
    for (const { undo } of this.unsynced.splice(this.unsynced.length - lost).reverse()) {
      for (const [name, value] of [...undo].reverse()) {
        if (value === undefined) this.entries.delete(name);
        else this.entries.set(name, value);
      }
    }
    this.unsynced.length = 0;
    return lost;
  }

  image(): IndexFile {
    const copy = new IndexFile();
    for (const [name, value] of this.entries) copy.entries.set(name, value);
    return copy;
  }

  rollBack(image: IndexFile | undefined): void {
    this.entries.clear();
    this.unsynced.length = 0;
    for (const [name, value] of image?.entries ?? []) this.entries.set(name, value);
  }
}

/** The index of one run. */
export class SimIndex implements KeyValue {
  readonly #file: IndexFile;
  readonly #device: Device;
  readonly #life: Life;

  constructor(file: IndexFile, device: Device, life: Life) {
    this.#file = file;
    this.#device = device;
    this.#life = life;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#file.entries.get(nameOf(key))?.slice();
  }

  async batch(operations: Batch, { durable = false }: { durable?: boolean } = {}): Promise<void> {
    const copy = operations.map((one) =>
      one.type === 'put'
        ? { type: one.type, key: one.key.slice(), value: one.value.slice() }
        : { type: one.type, key: one.key.slice() },
    );
    if (!durable) {
      await this.#device.pause(this.#life);
      this.#file.apply(copy);
      return;
    }
    // A crash that keeps it keeps all that stand before it.
    await this.#device.write(this.#life, () => {
      this.#file.apply(copy);
      this.#file.unsynced.length = 0;
    });
  }

  async *range(
    from: Uint8Array,
    to: Uint8Array,
  ): AsyncIterable<{ key: Uint8Array; value: Uint8Array }> {
    const keys = [...this.#file.entries].map(([name, value]) => ({ key: bytesOf(name), value }));
    const found = keys.filter(({ key }) => compare(key, from) >= 0 && compare(key, to) < 0);
    for (const { key, value } of found.sort((a, b) => compare(a.key, b.key))) {
      yield { key, value: value.slice() };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One character a byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(name, (letter) => letter.charCodeAt(0));
}
