import { HoldfastError } from '../core/errors.ts';
import type { CoordinatorReport } from './coordinator-types.ts';

/** Names who is missing for a decision. */
export function noQuorum(report: CoordinatorReport): HoldfastError {
  const { voters, votersReachable, quorum } = report;
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
