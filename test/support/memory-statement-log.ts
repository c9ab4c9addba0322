import { assert } from '../../src/base/assert.ts';
import { toHex } from '../../src/base/bytes.ts';
import type {
  FactStore,
  LogHead,
  StatementLog,
  StreamName,
} from '../../src/ports/statement-log.ts';

type Entry = { readonly hash: Uint8Array; readonly envelope: Uint8Array };

/** A statement log in memory. */
export class MemoryStatementLog implements StatementLog {
  readonly #streams = new Map<string, { name: StreamName; entries: Entry[] }>();

  heads(): readonly LogHead[] {
    return [...this.#streams.values()].map(({ name, entries }) => headOf(name, entries));
  }

  head(name: StreamName): LogHead | undefined {
    const found = this.#streams.get(keyOf(name));
    return found === undefined ? undefined : headOf(found.name, found.entries);
  }

  async append(
    { writer, stream }: StreamName,
    entry: { sequence: number; hash: Uint8Array; envelope: Uint8Array },
  ): Promise<void> {
    const name = { writer, stream };
    const found = this.#streams.get(keyOf(name)) ?? { name, entries: [] };
    assert(entry.sequence === found.entries.length + 1, 'entries are appended in their order');
    const { hash, envelope } = entry;
    found.entries.push({ hash: hash.slice(), envelope: envelope.slice() });
    this.#streams.set(keyOf(name), found);
  }

  async read(name: StreamName, from: number, count: number): Promise<Uint8Array[]> {
    const entries = this.#streams.get(keyOf(name))?.entries ?? [];
    return entries.slice(from - 1, from - 1 + count).map(({ envelope }) => envelope.slice());
  }

  async putAside(): Promise<readonly string[]> {
    return [];
  }

  /** A copy as a backup of the disk would hold it, without each stream's entries after `keep`. */
  copy(keep = Number.POSITIVE_INFINITY): MemoryStatementLog {
    const copy = new MemoryStatementLog();
    for (const [key, { name, entries }] of this.#streams) {
      if (keep > 0) copy.#streams.set(key, { name, entries: entries.slice(0, keep) });
    }
    return copy;
  }

  /** Changes a held envelope behind everybody's back. */
  damage(name: StreamName, sequence: number, change: (envelope: Uint8Array) => Uint8Array): void {
    const entries = this.#streams.get(keyOf(name))?.entries;
    const entry = entries?.[sequence - 1];
    assert(entries !== undefined && entry !== undefined, 'only what is held can be damaged');
    entries[sequence - 1] = { ...entry, envelope: change(entry.envelope) };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function keyOf({ writer, stream }: StreamName): string {
  return `${writer}/${stream}`;
}

function headOf(name: StreamName, entries: readonly Entry[]): LogHead {
  return { ...name, sequence: entries.length, hash: (entries.at(-1) as Entry).hash };
}

/** Facts in memory. */
export class MemoryFactStore implements FactStore {
  readonly #facts = new Map<string, Uint8Array>();

  get size(): number {
    return this.#facts.size;
  }

  async get(hash: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#facts.get(toHex(hash))?.slice();
  }

  async has(hash: Uint8Array): Promise<boolean> {
    return this.#facts.has(toHex(hash));
  }

  async put(hash: Uint8Array, fact: Uint8Array): Promise<void> {
    this.#facts.set(toHex(hash), fact.slice());
  }
}
