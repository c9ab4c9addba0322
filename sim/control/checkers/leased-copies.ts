import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** Programs of one dataset under a lease never run at two hosts at once, whatever the hosts know of each other. */
export class LeasedCopies implements ControlChecker {
  readonly name = 'leased-copies';
  readonly #usedAt: (dataset: string) => readonly AgentKey[];

  /** `usedAt`: hosts at which its programs run now, or are still being stopped. */
  constructor(usedAt: (dataset: string) => readonly AgentKey[]) {
    this.#usedAt = usedAt;
  }

  /** Two that run at once begin with one that is started. */
  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'programs') return undefined;
    const hosts = this.#usedAt(seen.dataset);
    const others = hosts.filter((agent) => agent !== seen.agent);
    if (others.length === 0) return undefined;
    const where = others.map((agent) => agent.slice(0, 8)).join(', ');
    return `programs of ${seen.dataset} start while those at ${where} run`;
  }
}
