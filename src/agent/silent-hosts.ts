import type { Agent } from './agent.ts';

/**
 * Names of hosts with shards that cannot be reached now and count as there all the same: their sites have not been
 * silent for as long as the policy says.
 */
export function silentHosts(
  { ledger, status, control, upkeep }: Agent,
  without: ReadonlySet<string> = new Set(),
): string[] {
  return ledger.roster
    .members()
    .filter((one) => one.hasRole('storage') && one.agentKey !== control.log.self)
    .filter((one) => !status.isReachable(one.agentKey) && upkeep.view.countsWithout(without, one))
    .map(({ name }) => name)
    .sort();
}
