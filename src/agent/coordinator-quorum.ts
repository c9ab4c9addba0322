import { secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { Agent } from './agent.ts';
import type { CoordinatorReport } from './coordinator-types.ts';
import { expelled } from './expelled.ts';

/** Names who is missing for a decision; a host that was put out is told that. */
export function noQuorum(report: CoordinatorReport): HoldfastError {
  const { voters, votersReachable, quorum, expulsion } = report;
  if (expulsion !== undefined) return expelled(expulsion);
  const missing = voters.filter(({ isReachable }) => !isReachable).map(({ name }) => name);
  const who = missing.length === 0 ? 'nobody is elected yet' : `missing: ${missing.join(', ')}`;
  return new HoldfastError(
    'no-quorum',
    `no quorum: ${votersReachable} of ${voters.length} voters reachable, ${quorum} needed; ${who}`,
    {
      next: 'bring them up; restores with the kit need no quorum: holdfast restore --help',
      details: { missing: missing.join(' ') },
    },
  );
}

/** Long enough for a quorum that is there to answer. */
const confirmTimeoutMs = 2 * secondMs;

/** A quorum has just agreed with what this host knows. */
export async function isQuorate(agent: Agent): Promise<boolean> {
  try {
    await agent.control.log.confirm({ timeoutMs: confirmTimeoutMs });
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}
