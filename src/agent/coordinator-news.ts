import { secondMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import type { Agent } from './agent.ts';

/** Long enough for an election to end; what is known is good enough after it. */
const waitMs = 3 * secondMs;

/**
 * Waits, for a short while, until this host knows what the control log says: after a start it knows nothing
 * until somebody leads. Without a quorum it goes on with what it knows.
 */
export async function hearNews(agent: Agent): Promise<void> {
  const control = agent.control.log;
  const { leader, commit } = control.status();
  if (leader !== undefined && control.appliedIndex >= commit && commit > 0) return;
  try {
    await control.confirm({ timeoutMs: waitMs });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}
