import type { Agent } from './agent.ts';

/**
 * Names of hosts with shards that cannot be reached now and count as there all the same: their sites have not been
 * silent for as long as the policy says.
 */
export function silentHosts(
  { ledger, upkeep: { repairs, view } }: Agent,
  without: ReadonlySet<string> = new Set(),
): string[] {
  return ledger.roster
    .members()
    .filter((one) => one.hasRole('storage') && !repairs.isThere(one.agentKey))
    .filter((one) => view.countsWithout(without, one))
    .map(({ name }) => name)
    .sort();
}
