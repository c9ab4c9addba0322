import { HoldfastError } from '../../src/core/errors.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';

/** Small records in memory. */
export class MemoryRecords implements RecordStore {
  readonly all = new Map<string, Uint8Array>();
  readonly damaged = new Set<string>();
  isFull = false;
  writes = 0;

  async read(name: string): Promise<Uint8Array | undefined> {
    if (this.damaged.has(name)) throw new HoldfastError('corrupt', `record ${name} is damaged`);
    return this.all.get(name);
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    if (this.isFull) throw new HoldfastError('disk-full', 'the disk is full');
    this.writes++;
    this.all.set(name, record);
    this.damaged.delete(name);
  }

  async remove(name: string): Promise<void> {
    this.all.delete(name);
  }

  async names(): Promise<readonly string[]> {
    return [...this.all.keys()].sort();
  }
}
