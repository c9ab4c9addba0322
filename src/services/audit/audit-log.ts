import { equal } from '../../base/bytes.ts';
import { dayMs, minuteMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import {
  type AuditEntry,
  type AuditKind,
  decodeAuditEntry,
  encodeAuditEntry,
} from '../../core/format/audit-entry.ts';
import { consistencyProof, leafHashOf } from '../../core/format/merkle-log.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { AuditStore } from '../../ports/audit-store.ts';
import type { Clock, Log } from '../../ports/runtime.ts';

/** Something that an audit log shall tell of; the clock and the count are added. */
export type AuditEvent = {
  readonly kind: AuditKind;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: AuditEntry['outcome'];
  readonly detail?: string;
  /** Machines do it all day long: it is gathered for a day, or it would hide what people do. */
  readonly isRoutine?: boolean;
};

/** Where services tell of what they do. Never throws, and is not waited for. */
export type Audit = (event: AuditEvent) => void;

export type AuditLogOptions = {
  readonly store: AuditStore;
  readonly clock: Clock;
  readonly log: Log;
  /** A log that cannot be kept must stop the agent when the disk has lied. */
  readonly onFatal: (error: unknown) => void;
};

/** What came again within this time is counted, and said once more at its end. */
const gatherMs = minuteMs;
const routineGatherMs = dayMs;
/** Different ones that are gathered at once: a peer cannot fill the memory with inventions. */
const gatheredMax = 1024;
const readStep = 512;

type Gathered = { readonly event: AuditEvent; readonly sinceMs: number; count: number };

/** A Merkle log of what this agent has done and refused (RFC 6962's tree, C2SP's checkpoints). */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #tree = MerkleRange.empty();
  /** 32 bytes for each entry. */
  #leaves = new Uint8Array(32 * 1024);
  readonly #gathered = new Map<string, Gathered>();
  #lastDecision: string | undefined;
  #queue: Uint8Array[] = [];
  #writing: Promise<void> | undefined;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** Reads the whole log once. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    const { store } = options;
    for (let at = 0; at < store.size; ) {
      const entries = await store.read(at, readStep);
      for (const entry of entries) {
        log.#count(entry);
        const { kind, subject } = decodeAuditEntry(entry);
        if (kind === 'decision') log.#lastDecision = subject;
      }
      at += entries.length;
    }
    return log;
  }

  /** Subject of the newest decision that stood here when the log was opened. */
  get lastDecision(): string | undefined {
    return this.#lastDecision;
  }

  /** See AuditStore. */
  get number(): number {
    return this.#options.store.number;
  }

  /** See AuditStore. */
  get putAside(): readonly number[] {
    return this.#options.store.putAside;
  }

  /** Entries that are on disk. */
  get size(): number {
    return this.#tree.size;
  }

  get root(): Uint8Array {
    return this.#tree.root();
  }

  /** Takes an event down. The first of its like is written at once, others are gathered for a while. */
  readonly note: Audit = (event) => {
    this.#settle();
    const name = [event.kind, event.actor, event.action, event.subject, event.outcome].join('\n');
    const known = this.#gathered.get(name);
    if (known !== undefined) {
      known.count++;
      return;
    }
    // Too many kinds at once: they are written as they come, and bounded by the disk's speed.
    if (this.#gathered.size < gatheredMax) {
      const sinceMs = this.#options.clock.monotonicMs();
      this.#gathered.set(name, { event, sinceMs, count: 0 });
    }
    this.#write(event, 1);
  };

  /** What has been gathered for long enough is written with its count. Call now and then. */
  #settle(all = false): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [name, { event, sinceMs, count }] of this.#gathered) {
      const forMs = event.isRoutine === true ? routineGatherMs : gatherMs;
      if (!all && nowMs - sinceMs < forMs) continue;
      this.#gathered.delete(name);
      if (count > 0) this.#write(event, count);
    }
  }

  /** Resolves when everything that was noted before is on disk. */
  async flush(options: { readonly all?: boolean } = {}): Promise<void> {
    this.#settle(options.all === true);
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Up to `count` entries from an index on, oldest first. */
  async entries(from: number, count: number): Promise<AuditEntry[]> {
    const bytes = await this.#options.store.read(from, count);
    return bytes.map(decodeAuditEntry);
  }

  /** As they stand on disk. */
  encoded(from: number, count: number): Promise<Uint8Array[]> {
    return this.#options.store.read(from, count);
  }

  /** The root over the first `size` entries, at most all. */
  rootAt(size: number): Uint8Array {
    const tree = MerkleRange.empty();
    for (let i = 0; i < size; i++) tree.append(this.#leaf(i));
    return tree.root();
  }

  /** That the log with `size` entries begins with the one that had `oldSize`. */
  proof(oldSize: number, size: number): Uint8Array[] {
    return consistencyProof(oldSize, size, (index) => this.#leaf(index));
  }

  /** Reads everything again from the disk. @returns the first index that is not as it was; undefined: all is. */
  async changedOnDisk(): Promise<number | undefined> {
    for (let at = 0; at < this.size; ) {
      const entries = await this.#options.store.read(at, readStep).catch((error: unknown) => {
        if (codeOf(error) !== 'corrupt') throw error;
        return [];
      });
      if (entries.length === 0) return at;
      for (const [i, entry] of entries.entries()) {
        const [found, known] = [leafHashOf(entry), this.#leaf(at + i)];
        if (!equal(found, known)) return at + i;
      }
      at += entries.length;
    }
    return undefined;
  }

  #leaf(index: number): Uint8Array {
    return this.#leaves.subarray(32 * index, 32 * index + 32);
  }

  #write(event: AuditEvent, count: number): void {
    const timeMs = this.#options.clock.nowMs();
    this.#queue.push(encodeAuditEntry({ detail: '', ...event, timeMs, count }));
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    const { store, log, onFatal } = this.#options;
    while (this.#queue.length > 0) {
      // What comes meanwhile goes with the next sync.
      await Promise.resolve();
      const entries = this.#queue.splice(0);
      try {
        await store.append(entries);
        for (const entry of entries) this.#count(entry);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        // A full disk must not stop backups from being read; a disk that lies must stop everything.
        log.log('error', trustMessages.auditLogNotWritten, { lost: entries.length });
        if (codeOf(error) === 'io-error') onFatal(error);
        return;
      }
    }
  }

  #count(entry: Uint8Array): void {
    const at = 32 * this.#tree.size;
    if (at + 32 > this.#leaves.length) {
      const larger = new Uint8Array(2 * this.#leaves.length);
      larger.set(this.#leaves);
      this.#leaves = larger;
    }
    const leaf = leafHashOf(entry);
    this.#leaves.set(leaf, at);
    this.#tree.append(leaf);
  }
}
