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
  /**
   * Where the log ended before it was spoilt, as the journal remembers it until that does not matter any more; of
   * an infinite term where it has not kept that.
   */
  lost: { readonly index: number; readonly term: number } | undefined;

  /** What the last write that cut the log took away; a newer snapshot begins another file. */
  #cut: { readonly from: number; readonly entries: readonly RaftEntry[] } | undefined;

  /** False for a journal of before terms were kept in its records. */
  readonly #knowsTerms: boolean;

  constructor(founding: RaftConfig, { knowsTerms = true } = {}) {
    this.#knowsTerms = knowsTerms;
    this.hard = { generation: 1, term: 0, votedFor: undefined };
    this.snapshot = { index: 0, term: 0, config: founding, state: new Uint8Array(0) };
  }

  get lastIndex(): number {
    return this.snapshot.index + this.entries.length;
  }

  get last(): { readonly index: number; readonly term: number } {
    return this.entries.at(-1) ?? this.snapshot;
  }

  /** Not before the end of the log, nor of what it has lost. */
  get endOfAll(): { readonly index: number; readonly term: number } {
    const { last, lost = last } = this;
    const term = this.#knowsTerms ? Math.max(last.term, lost.term) : Number.POSITIVE_INFINITY;
    return { index: Math.max(last.index, lost.index), term };
  }

  get lostUpTo(): number | undefined {
    return this.lost?.index;
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
    const isNewLog = hard !== undefined && hard.generation > this.hard.generation;
    if (hard !== undefined) this.hard = hard;
    if (isNewLog) this.#forget();
    if (snapshot !== undefined) this.#replaceSnapshot(snapshot);
    if (truncateFrom !== undefined) {
      assert(truncateFrom > this.snapshot.index, 'a snapshot is not cut');
      this.#cut = { from: truncateFrom, entries: this.#cutFrom(truncateFrom) };
    }
    for (const entry of append ?? []) {
      assert(entry.index === this.lastIndex + 1, 'an entry follows the last one');
      this.entries.push(entry);
    }
    this.#forgetLoss();
  }

  /**
   * Spoils an entry: it and all after it are gone. `isOld`: with it the record that it came with, and all since
   * the log was last cut: what had been cut away is there again, as far as it is shorter than what is lost.
   */
  damage(index: number, { isOld = false } = {}): void {
    assert(index > this.snapshot.index && index <= this.lastIndex, 'there is an entry to spoil');
    const lost = this.endOfAll;
    this.lost = lost;
    const cut = this.#cut;
    if (isOld && cut !== undefined) {
      this.#cutFrom(cut.from);
      this.entries.push(...cut.entries.filter((one) => one.index < lost.index));
    } else this.#cutFrom(index);
    this.#cut = undefined;
    this.#forgetLoss();
  }

  /** A decree: the log of another generation takes the place of this one, all of it. */
  #forget(): void {
    this.entries = [];
    this.lost = undefined;
    this.#cut = undefined;
  }

  #cutFrom(index: number): RaftEntry[] {
    return this.entries.splice(index - this.snapshot.index - 1);
  }

  #forgetLoss(): void {
    const { last, lost } = this;
    if (lost === undefined) return;
    if (last.index >= lost.index || last.term > lost.term) this.lost = undefined;
  }

  #replaceSnapshot(snapshot: RaftSnapshot): void {
    const isInLog = this.termAt(snapshot.index) === snapshot.term;
    this.entries = isInLog ? this.entries.slice(snapshot.index - this.snapshot.index) : [];
    this.snapshot = snapshot;
    this.#cut = undefined;
  }
}
