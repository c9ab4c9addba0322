import type { FactHash } from '../../src/core/ids.ts';
import type { KeyRecordStore } from '../../src/ports/key-records.ts';

/** Key records in memory; `kept` can be looked into. */
export class MemoryKeyRecords implements KeyRecordStore {
  readonly kept = new Map<FactHash, Uint8Array>();

  async list(): Promise<readonly FactHash[]> {
    return [...this.kept.keys()];
  }

  async get(hash: FactHash): Promise<Uint8Array | undefined> {
    return this.kept.get(hash)?.slice();
  }

  async has(hash: FactHash): Promise<boolean> {
    return this.kept.has(hash);
  }

  async put(hash: FactHash, record: Uint8Array): Promise<void> {
    this.kept.set(hash, record.slice());
  }

  async remove(hash: FactHash): Promise<void> {
    this.kept.delete(hash);
  }
}
