import type { AgentKey } from '../../../src/core/ids.ts';
import { everybody } from '../cast.ts';
import type { KeepingCluster } from '../cluster.ts';
import type { KeepingChecker, KeepingSeen } from '../observation.ts';

/** Nothing begins to expire that hosts of two sites have not both asked for. */
export class Agreed implements KeepingChecker {
  readonly name = 'agreed';
  readonly #proposers = new Map<string, AgentKey>();

  observe(seen: KeepingSeen, cluster: KeepingCluster): string | undefined {
    if (seen.kind !== 'said' || seen.said.outcome !== 'applied') return undefined;
    const { body, by, id } = seen.said;
    const person = everybody.find(({ name }) => name === by);
    if (body.kind === 'expire') this.#proposers.set(id, person?.agentKey ?? ('' as AgentKey));
    if (body.kind === 'confirm-expiry') {
      const proposer = everybody.find(({ agentKey }) => {
        return agentKey === this.#proposers.get(body.expiry);
      });
      if (person === undefined) return 'an operator alone has confirmed an expiry';
      if (proposer?.site === person.site) return `site ${person.site} alone lets snapshots go`;
      this.#confirmed.add(body.expiry);
    }
    return this.#unconfirmed(cluster);
  }

  readonly #confirmed = new Set<string>();

  #unconfirmed(cluster: KeepingCluster): string | undefined {
    for (const { id, stage } of cluster.fate()?.expiries ?? []) {
      if (stage !== 'proposed' && !this.#confirmed.has(id)) {
        return 'something expires that nobody has confirmed';
      }
    }
    return undefined;
  }
}
