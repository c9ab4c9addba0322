import type { AuditStore } from '../../src/ports/audit-store.ts';
import type { StepStore } from '../../src/ports/fence-store.ts';

/** Entries in memory; `entries` may be changed, as somebody with the disk could. */
export class MemoryAuditStore implements AuditStore {
  readonly putAside: readonly number[] = [];
  readonly number: number;
  readonly entries: Uint8Array[] = [];
  appends = 0;

  constructor(number = 1) {
    this.number = number;
  }

  get size(): number {
    return this.entries.length;
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    this.appends++;
    this.entries.push(...entries);
  }

  async read(from: number, count: number): Promise<Uint8Array[]> {
    return this.entries.slice(from, from + count);
  }
}

/** Small records in memory. */
export class MemoryRecords implements StepStore {
  readonly records = new Map<string, Uint8Array>();

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.records.get(name);
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    this.records.set(name, record);
  }

  async remove(name: string): Promise<void> {
    this.records.delete(name);
  }

  async names(): Promise<readonly string[]> {
    return [...this.records.keys()].sort();
  }
}
