import { assert } from '../../../base/assert.ts';
import { toHex } from '../../../base/bytes.ts';
import { decodeConfig, encodeConfig } from './config-codec.ts';
import type { RaftConfig, RaftEntry, RaftSnapshot } from './types.ts';

/** An index and the term of its entry: two logs that agree on both agree on everything before. */
export type LogPosition = { readonly index: number; readonly term: number };

/** True when a log that ends at the one is at least as new as one that ends at the other (Raft, 5.4.1). */
export function reaches(one: LogPosition, other: LogPosition): boolean {
  return one.term > other.term || (one.term === other.term && one.index >= other.index);
}

/** The snapshot and the entries after it. Entries and their payloads are shared and never changed. */
export class RaftLog {
  #snapshot: RaftSnapshot;
  /** Of indexes from #snapshot.index + 1 on, without a gap, of terms that never fall. */
  #entries: RaftEntry[];
  /** Those of the `config` entries, oldest first. */
  #configs: { readonly index: number; readonly config: RaftConfig }[];

  /** @throws HoldfastError bad-encoding when a `config` entry does not hold one. */
  constructor(snapshot: RaftSnapshot, entries: readonly RaftEntry[]) {
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#configs = [];
    this.append(entries);
  }

  get snapshot(): RaftSnapshot {
    return this.#snapshot;
  }

  get lastIndex(): number {
    return this.#snapshot.index + this.#entries.length;
  }

  get last(): LogPosition {
    return this.#entries.at(-1) ?? this.#snapshot;
  }

  /** The newest configuration, committed or not: it counts from its append on (dissertation, 4.1). */
  get config(): RaftConfig {
    return this.#configs.at(-1)?.config ?? this.#snapshot.config;
  }

  /** Where the newest configuration stands; that of the snapshot is committed. */
  get configIndex(): number {
    return this.#configs.at(-1)?.index ?? this.#snapshot.index;
  }

  /** The one that the newest has replaced. */
  get previousConfig(): RaftConfig {
    return this.#configs.at(-2)?.config ?? this.#snapshot.config;
  }

  /** The term of the entry at an index; undefined where that is not known here. */
  termAt(index: number): number | undefined {
    if (index === this.#snapshot.index) return this.#snapshot.term;
    return this.#entries[index - this.#snapshot.index - 1]?.term;
  }

  has(position: LogPosition): boolean {
    return this.termAt(position.index) === position.term;
  }

  /** Entries from one index to another, both included, as far as they are here. */
  between(from: number, to: number): readonly RaftEntry[] {
    const first = this.#snapshot.index + 1;
    return this.#entries.slice(Math.max(0, from - first), Math.max(0, to - first + 1));
  }

  /** At most `countMax` entries from an index on with at most `bytesMax` of payload, but at least one. */
  batch(from: number, bounds: { countMax: number; bytesMax: number }): readonly RaftEntry[] {
    const entries: RaftEntry[] = [];
    let bytes = 0;
    for (let at = from - this.#snapshot.index - 1; entries.length < bounds.countMax; at++) {
      const entry = this.#entries[at];
      if (entry === undefined) break;
      bytes += entry.payload.length;
      if (entries.length > 0 && bytes > bounds.bytesMax) break;
      entries.push(entry);
    }
    return entries;
  }

  /**
   * The last position, not after `index`, of a term that is not after `term`. Two logs that differ at
   * `index`, where the other has `term`, cannot agree after it: terms never fall (dissertation, 5.3).
   */
  lastNotAfter(index: number, term: number): LogPosition {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#snapshot.index && (this.termAt(at) ?? 0) > term) at--;
    const found = this.termAt(at);
    // What the snapshot has swallowed is known to nobody here; its predecessor is the best guess.
    if (found !== undefined && found > term && at > 0) return { index: at - 1, term };
    return { index: at, term: found ?? term };
  }

  append(entries: readonly RaftEntry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'the log has no gap');
      assert(entry.term >= this.last.term, 'terms never fall along the log');
      if (entry.kind === 'config') {
        this.#configs.push({ index: entry.index, config: decodeConfig(entry.payload) });
      }
      this.#entries.push(entry);
    }
  }

  /** Drops the entries from an index on, and with them their configurations. */
  truncateFrom(index: number): void {
    assert(index > this.#snapshot.index, 'a snapshot is not taken back');
    this.#entries.length = Math.min(this.#entries.length, index - this.#snapshot.index - 1);
    while ((this.#configs.at(-1)?.index ?? 0) >= index) this.#configs.pop();
  }

  /** Replaces the entries up to an index by the state that they led to. */
  compact(index: number, state: Uint8Array): RaftSnapshot {
    const term = this.termAt(index);
    assert(term !== undefined && index > this.#snapshot.index, 'the log reaches to its snapshot');
    const config = this.#configs.findLast((one) => one.index <= index)?.config;
    this.#entries = this.#entries.slice(index - this.#snapshot.index);
    this.#configs = this.#configs.filter((one) => one.index > index);
    this.#snapshot = { index, term, config: config ?? this.#snapshot.config, state };
    return this.#snapshot;
  }

  /** Replaces everything. */
  install(snapshot: RaftSnapshot): void {
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#configs = [];
  }

  clone(): RaftLog {
    const copy = new RaftLog(this.#snapshot, []);
    copy.#entries = this.#entries.slice();
    copy.#configs = this.#configs.slice();
    return copy;
  }

  /** The same for logs with the same content, and for them only. */
  fingerprint(): string {
    const { index, term, config, state } = this.#snapshot;
    const entries = this.#entries.map((one) => `${one.term}${one.kind}${toHex(one.payload)}`);
    return [index, term, toHex(encodeConfig(config)), toHex(state), ...entries].join(',');
  }
}
