import { assert } from '../../base/assert.ts';
import type {
  HardState,
  RaftEntry,
  RaftSnapshot,
  RaftStored,
  RaftWrite,
} from '../protocol/raft/types.ts';
import type { JournalSummary } from './journal-summary.ts';

/** What all records of a control journal lead to. Entries and their payloads are shared, never changed. */
export class JournalState {
  #hard: HardState;
  #snapshot: RaftSnapshot;
  /** From the snapshot's index on, without a gap. */
  #entries: RaftEntry[];
  /** Always above the last index: it ends as soon as the log has grown to it again, or beyond its term. */
  #lostUpTo: number | undefined;
  /** Bounds the terms up to there from above, where that is known. */
  #lostTerm: number | undefined;

  /** `lostUpTo` as in JournalSummary; `lostTerm` is its `entryTerm`. */
  constructor(stored: RaftStored, lostUpTo?: number, lostTerm?: number) {
    this.#hard = stored.hard;
    this.#snapshot = stored.snapshot;
    this.#entries = [];
    this.#lostUpTo = lostUpTo;
    this.#lostTerm = lostTerm;
    this.apply({ append: stored.entries });
  }

  get snapshot(): RaftSnapshot {
    return this.#snapshot;
  }

  get lastIndex(): number {
    return this.#snapshot.index + this.#entries.length;
  }

  get lostUpTo(): number | undefined {
    return this.#lostUpTo;
  }

  /** Undefined when nothing is lost, and when the term of what is lost is not known. */
  get lostTerm(): number | undefined {
    return this.#lostUpTo === undefined ? undefined : this.#lostTerm;
  }

  /** The part that Raft starts from; later changes do not reach it. */
  stored(): RaftStored {
    return { hard: this.#hard, snapshot: this.#snapshot, entries: this.#entries.slice() };
  }

  summary(sequence: number): JournalSummary {
    const { lastIndex } = this;
    const lostUpTo = this.#lostUpTo;
    return { sequence, hard: this.#hard, lastIndex, lostUpTo, entryTerm: this.#entryTerm };
  }

  /** Takes all of a write, in the order that RaftWrite says. A write that does not fit is a bug, and changes nothing. */
  apply(write: RaftWrite): void {
    const kept = this.#entriesAfter(write);
    const snapshot = write.snapshot ?? this.#snapshot;
    let next = snapshot.index + kept.length + 1;
    for (const entry of write.append ?? []) {
      assert(entry.index === next++, 'the control log has no gap');
    }
    if (this.#beginsGeneration(write)) this.#lostUpTo = undefined;
    this.#hard = write.hard ?? this.#hard;
    this.#snapshot = snapshot;
    this.#entries = kept;
    for (const entry of write.append ?? []) this.#entries.push(entry);
    this.#noteRegained();
  }

  /**
   * Takes over what a later record or mark says that the damaged records in between led to. These may also
   * have replaced entries that still stand here, and nobody knows which: so this log stays below
   * `lostUpTo` until it has grown past it by what a leader sends, and then all of it agrees with the leader's.
   * Or it ends in a later term than the lost one: see RaftState.noteRegained.
   */
  lose(newest: JournalSummary): void {
    this.#hard = newest.hard;
    const lost = Math.max(newest.lastIndex, newest.lostUpTo ?? 0);
    const countMax = Math.max(0, lost - 1 - this.#snapshot.index);
    this.#entries = this.#entries.slice(0, countMax);
    this.#lostUpTo = lost;
    this.#lostTerm = newest.entryTerm;
    this.#noteRegained();
  }

  #noteRegained(): void {
    const [index, term] = [this.#lostUpTo, this.#lostTerm];
    if (index === undefined) return;
    const isLater = term !== undefined && this.#lastTerm > term;
    if (this.lastIndex >= index || isLater) this.#lostUpTo = undefined;
  }

  get #lastTerm(): number {
    return (this.#entries.at(-1) ?? this.#snapshot).term;
  }

  get #entryTerm(): number | undefined {
    if (this.#lostUpTo === undefined) return this.#lastTerm || undefined;
    return this.#lostTerm === undefined ? undefined : Math.max(this.#lostTerm, this.#lastTerm);
  }

  /** What snapshot and truncation of a write leave; the own array where that is all. */
  #entriesAfter(write: RaftWrite): RaftEntry[] {
    let { index } = this.#snapshot;
    let entries = this.#entries;
    // A decree: the log of another generation takes the place of this one, all of it.
    if (this.#beginsGeneration(write)) return [];
    if (write.snapshot !== undefined) {
      assert(write.snapshot.index >= index, 'a snapshot is not taken back');
      entries = this.#agreesWith(write.snapshot) ? entries.slice(write.snapshot.index - index) : [];
      index = write.snapshot.index;
    }
    if (write.truncateFrom === undefined) return entries;
    assert(write.truncateFrom > index, 'a snapshot is not taken back');
    return entries.slice(0, write.truncateFrom - index - 1);
  }

  #beginsGeneration({ hard, snapshot }: RaftWrite): boolean {
    return hard !== undefined && snapshot !== undefined && hard.generation > this.#hard.generation;
  }

  #agreesWith({ index, term }: RaftSnapshot): boolean {
    const own = this.#snapshot;
    const position = index === own.index ? own : this.#entries[index - own.index - 1];
    return position?.term === term;
  }
}
