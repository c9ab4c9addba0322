import type { Checker, Observation } from '../observation.ts';
import type { Committed } from './committed.ts';

/** What was committed in an earlier term is in the log of every later leader. */
export class LeaderCompleteness implements Checker {
  readonly name = 'leader-completeness';
  readonly #committed: Committed;

  constructor(committed: Committed) {
    this.#committed = committed;
  }

  observe(seen: Observation): string | undefined {
    if (seen.kind !== 'role' || seen.status.role !== 'leader') return undefined;
    const { disk, status } = seen;
    for (let index = disk.snapshot.index + 1; index <= this.#committed.lastIndex; index++) {
      const known = this.#committed.at(index);
      // A leader whose election came to its end late is not one of a later term.
      if (known === undefined || known.knownInTerm >= status.term) continue;
      if (disk.termAt(index) !== known.entry.term) {
        return `the leader of term ${status.term} lacks the committed entry ${index}`;
      }
    }
    return undefined;
  }
}
