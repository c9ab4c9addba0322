import type { AgentKey } from '../../../src/core/ids.ts';
import type { Checker, Observation } from '../observation.ts';

/** At most one leader in a term; and a voter's durable term and vote are never taken back. */
export class ElectionSafety implements Checker {
  readonly name = 'election-safety';
  readonly #leaders = new Map<number, AgentKey>();
  readonly #votes = new Map<AgentKey, { term: number; votedFor: AgentKey | undefined }>();

  observe(seen: Observation): string | undefined {
    if (seen.kind === 'role' && seen.status.role === 'leader') {
      const { term } = seen.status;
      const other = this.#leaders.get(term);
      this.#leaders.set(term, seen.member);
      if (other !== undefined && other !== seen.member) return `two leaders in term ${term}`;
    }
    if (seen.kind !== 'persisted' || seen.write.hard === undefined) return undefined;
    const { term, votedFor } = seen.write.hard;
    const before = this.#votes.get(seen.member);
    this.#votes.set(seen.member, { term, votedFor });
    if (before === undefined) return undefined;
    if (term < before.term) return `the term falls from ${before.term} to ${term}`;
    const isTakenBack =
      term === before.term && before.votedFor !== undefined && votedFor !== before.votedFor;
    return isTakenBack ? `a second vote in term ${term}` : undefined;
  }
}
