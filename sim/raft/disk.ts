import { assert } from '../../src/base/assert.ts';
import { decodeConfig } from '../../src/core/protocol/raft/config-codec.ts';
import type {
  HardState,
  RaftConfig,
  RaftEntry,
  RaftSnapshot,
  RaftStored,
  RaftWrite,
} from '../../src/core/protocol/raft/types.ts';

/** What one member has durably: a write is there as a whole or not at all. */
export class RaftDisk {
  hard: HardState;
  snapshot: RaftSnapshot;
  entries: RaftEntry[] = [];
  /** As the journal remembers it, until the log is as long again. */
  lostUpTo: number | undefined;

  constructor(founding: RaftConfig) {
    this.hard = { generation: 1, term: 0, votedFor: undefined };
    this.snapshot = { index: 0, term: 0, config: founding, state: new Uint8Array(0) };
  }

  get lastIndex(): number {
    return this.snapshot.index + this.entries.length;
  }

  get stored(): RaftStored {
    return { hard: this.hard, snapshot: this.snapshot, entries: [...this.entries] };
  }

  entryAt(index: number): RaftEntry | undefined {
    return this.entries[index - this.snapshot.index - 1];
  }

  termAt(index: number): number | undefined {
    return index === this.snapshot.index ? this.snapshot.term : this.entryAt(index)?.term;
  }

  /** The configuration that counted before an entry. */
  configBefore(index: number): RaftConfig {
    const entry = this.entries.findLast((one) => one.index < index && one.kind === 'config');
    return entry === undefined ? this.snapshot.config : decodeConfig(entry.payload);
  }

  /** All configurations that may still count: of the entries after an index, and the one before them. */
  configsFrom(index: number): RaftConfig[] {
    const later = this.entries.filter((one) => one.index > index && one.kind === 'config');
    return [this.configBefore(index + 1), ...later.map(({ payload }) => decodeConfig(payload))];
  }

  write({ hard, snapshot, truncateFrom, append }: RaftWrite): void {
    if (hard !== undefined) this.hard = hard;
    if (snapshot !== undefined) this.#replaceSnapshot(snapshot);
    if (truncateFrom !== undefined) {
      assert(truncateFrom > this.snapshot.index, 'a snapshot is not cut');
      this.entries.length = truncateFrom - this.snapshot.index - 1;
    }
    for (const entry of append ?? []) {
      assert(entry.index === this.lastIndex + 1, 'an entry follows the last one');
      this.entries.push(entry);
    }
    if (this.lostUpTo !== undefined && this.lastIndex >= this.lostUpTo) this.lostUpTo = undefined;
  }

  /** Spoils an entry: it and all after it are gone. */
  damage(index: number): void {
    assert(index > this.snapshot.index && index <= this.lastIndex, 'there is an entry to spoil');
    this.lostUpTo = Math.max(this.lastIndex, this.lostUpTo ?? 0);
    this.entries.length = index - this.snapshot.index - 1;
  }

  #replaceSnapshot(snapshot: RaftSnapshot): void {
    const isInLog = this.termAt(snapshot.index) === snapshot.term;
    this.entries = isInLog ? this.entries.slice(snapshot.index - this.snapshot.index) : [];
    this.snapshot = snapshot;
  }
}
