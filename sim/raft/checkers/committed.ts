import type { RaftEntry } from '../../../src/core/protocol/raft/types.ts';
import type { Observation } from '../observation.ts';

/** What the first member to apply it saw at an index, and in which term it was then. */
export type CommittedEntry = {
  readonly entry: RaftEntry;
  readonly digest: number;
  readonly knownInTerm: number;
};

/** The one history that all members must share: written by whoever is first, never changed. */
export class Committed {
  readonly #entries = new Map<number, CommittedEntry>();
  /** The highest index that anybody knows to be committed. */
  lastIndex = 0;

  /** Must see everything before the checkers do. */
  observe(seen: Observation): void {
    if (seen.kind !== 'applied' || this.#entries.has(seen.entry.index)) return;
    const { entry, machine, disk } = seen;
    this.#entries.set(entry.index, {
      entry,
      digest: machine.digest,
      knownInTerm: disk.hard.term,
    });
    this.lastIndex = Math.max(this.lastIndex, entry.index);
  }

  at(index: number): CommittedEntry | undefined {
    return this.#entries.get(index);
  }
}
