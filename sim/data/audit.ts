import type { AuditStore } from '../../src/ports/audit-store.ts';
import type { StepStore } from '../../src/ports/fence-store.ts';
import type { Life } from '../world.ts';
import type { Device } from './device.ts';

/** What a host's disk has of its audit log. */
export class AuditFile {
  entries: Uint8Array[] = [];
  records = new Map<string, Uint8Array>();

  image(): AuditFile {
    const copy = new AuditFile();
    copy.rollBack(this);
    return copy;
  }

  rollBack({ entries, records }: AuditFile): void {
    this.entries = [...entries];
    this.records = new Map(records);
  }
}

/** The audit log of one run: entries that are appended together are there together, or not at all. */
export class SimAudit implements AuditStore {
  readonly putAside: readonly number[] = [];
  readonly number = 1;
  readonly #file: AuditFile;
  readonly #device: Device;
  readonly #life: Life;

  constructor(file: AuditFile, device: Device, life: Life) {
    this.#file = file;
    this.#device = device;
    this.#life = life;
  }

  get size(): number {
    return this.#file.entries.length;
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    const copies = entries.map((entry) => entry.slice());
    await this.#device.write(this.#life, () => this.#file.entries.push(...copies));
  }

  async read(from: number, count: number): Promise<Uint8Array[]> {
    return this.#file.entries.slice(from, from + count).map((entry) => entry.slice());
  }
}

/** Small records beside it. */
export class SimAuditRecords implements StepStore {
  readonly #file: AuditFile;
  readonly #device: Device;
  readonly #life: Life;

  constructor(file: AuditFile, device: Device, life: Life) {
    this.#file = file;
    this.#device = device;
    this.#life = life;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#file.records.get(name)?.slice();
  }

  async write(name: string, record: Uint8Array): Promise<void> {
    const copy = record.slice();
    await this.#device.write(this.#life, () => this.#file.records.set(name, copy));
  }

  async remove(name: string): Promise<void> {
    await this.#device.write(this.#life, () => this.#file.records.delete(name));
  }

  async names(): Promise<readonly string[]> {
    return [...this.#file.records.keys()].sort();
  }
}
