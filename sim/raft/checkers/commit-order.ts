import type { AgentKey } from '../../../src/core/ids.ts';
import type { Checker, Observation } from '../observation.ts';

/** While a member runs, its commit never goes back, nor beyond its log. */
export class CommitOrder implements Checker {
  readonly name = 'commit-order';
  readonly #commits = new Map<AgentKey, number>();

  observe(seen: Observation): string | undefined {
    if (seen.kind === 'started') this.#commits.set(seen.member, seen.disk.snapshot.index);
    if (seen.kind !== 'stepped') return undefined;
    const { commit, lastIndex } = seen.status;
    const before = this.#commits.get(seen.member) ?? 0;
    this.#commits.set(seen.member, commit);
    if (commit > lastIndex)
      return `the commit ${commit} is beyond the log, which ends at ${lastIndex}`;
    return commit < before ? `the commit falls from ${before} to ${commit}` : undefined;
  }
}
