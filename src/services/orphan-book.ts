import { fromUtf8, utf8 } from '../base/bytes.ts';
import { codeOf } from '../core/errors.ts';
import type { AgentKey, DatasetId, PackId } from '../core/ids.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Log } from '../ports/runtime.ts';

/** A pack that no snapshot names. Times are of this host's conservative time. */
export type Orphan = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly k: number;
  readonly m: number;
  /** Before coding. */
  readonly size: number;
  /** When it was first found to be one. */
  readonly sinceMs: number;
  /** The newest snapshot of its source at that time; 0: there was none. */
  readonly sequence: number;
  /** When it was put into the trash; 0: it was not. */
  readonly trashedMs: number;
};

const prefix = 'orphans-';
/** Of one record, which holds the packs whose ids begin alike: so that it fits. */
const perRecordMax = 200;

/**
 * Which packs here are orphans, and since when; kept on disk, since their grace is longer than a program runs.
 * What is damaged is forgotten: then a grace begins anew.
 */
export class OrphanBook {
  readonly #records: RecordStore;
  readonly #orphans: Map<PackId, Orphan>;
  readonly #dirty = new Set<string>();

  /** `orphans`: what `readOrphans` has read. */
  constructor(records: RecordStore, orphans: ReadonlyMap<PackId, Orphan>) {
    this.#records = records;
    this.#orphans = new Map(orphans);
  }

  get size(): number {
    return this.#orphans.size;
  }

  of(pack: PackId): Orphan | undefined {
    return this.#orphans.get(pack);
  }

  all(): readonly (readonly [PackId, Orphan])[] {
    return [...this.#orphans];
  }

  /** Adds or changes one. What finds no room any more waits until others have gone. */
  set(pack: PackId, orphan: Orphan): void {
    const name = nameOf(pack);
    const isNew = !this.#orphans.has(pack);
    if (isNew && this.#named(name).length >= perRecordMax) return;
    this.#orphans.set(pack, orphan);
    this.#dirty.add(name);
  }

  /** A snapshot names it, or it is gone. */
  delete(pack: PackId): void {
    if (this.#orphans.delete(pack)) this.#dirty.add(nameOf(pack));
  }

  /** @throws HoldfastError disk-full | io-error */
  async flush(): Promise<void> {
    for (const name of [...this.#dirty]) {
      const entries = this.#named(name);
      if (entries.length === 0) await this.#records.remove(name);
      else await this.#records.write(name, utf8(JSON.stringify(entries)));
      this.#dirty.delete(name);
    }
  }

  #named(name: string): (readonly [PackId, Orphan])[] {
    return this.all().filter(([pack]) => nameOf(pack) === name);
  }
}

function nameOf(pack: PackId): string {
  return prefix + pack.slice(0, 2);
}

/** Orphans as they were last written down. @throws HoldfastError io-error */
export async function readOrphans(records: RecordStore, log: Log): Promise<Map<PackId, Orphan>> {
  const all = new Map<PackId, Orphan>();
  for (const name of await records.names()) {
    if (!name.startsWith(prefix)) continue;
    try {
      const record = await records.read(name);
      const entries = JSON.parse(fromUtf8(record ?? new Uint8Array()) ?? '') as [PackId, Orphan][];
      for (const [pack, orphan] of entries) all.set(pack, orphan);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) {
        if (codeOf(error) !== 'corrupt') throw error;
      }
      log.log('warn', storageMessages.orphansGetGraceAnew, { record: name });
    }
  }
  return all;
}
