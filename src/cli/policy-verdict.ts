import { HoldfastError } from '../core/errors.ts';
import type { PolicyProof } from './backend.ts';

const next = 'ask another agent, and trust this one no more';

/**
 * Ends the command when what the agent says of the policy does not follow from the genesis on this disk. A version that
 * is too new for a checkpoint is no lie yet. @throws HoldfastError bad-signature
 */
export function refuseFalsePolicy({ problems, objection }: PolicyProof): void {
  if (objection !== undefined) {
    const what = `the log that this agent shows is not proven: ${objection}`;
    throw new HoldfastError('bad-signature', what, { next });
  }
  const [version, broken] = Object.entries(problems).find(([, one]) => !one.isPending) ?? [];
  if (broken === undefined) return;
  throw new HoldfastError('bad-signature', `version ${version}: ${broken.reason}`, { next });
}
