import { compare } from '../../../src/base/bytes.ts';
import type { RaftEntry } from '../../../src/core/protocol/raft/types.ts';
import type { Checker, Observation } from '../observation.ts';

/**
 * Two logs with an entry of the same index and term agree on everything before it: by induction, it is
 * enough that the entry is the same and that the one before it has the same term.
 */
export class LogMatching implements Checker {
  readonly name = 'log-matching';
  readonly #entries = new Map<string, { entry: RaftEntry; previousTerm: number | undefined }>();

  observe(seen: Observation): string | undefined {
    if (seen.kind !== 'persisted') return undefined;
    for (const entry of seen.write.append ?? []) {
      const key = `${entry.index}/${entry.term}`;
      const previousTerm = seen.disk.termAt(entry.index - 1);
      const known = this.#entries.get(key);
      if (known === undefined) {
        this.#entries.set(key, { entry, previousTerm });
      } else if (
        known.previousTerm !== previousTerm ||
        known.entry.kind !== entry.kind ||
        compare(known.entry.payload, entry.payload) !== 0
      ) {
        return `two logs differ at or before index ${entry.index} of term ${entry.term}`;
      }
    }
    return undefined;
  }
}
