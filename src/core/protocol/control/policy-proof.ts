import { equal } from '../../../base/bytes.ts';
import { codeOf } from '../../errors.ts';
import { encodePolicy } from '../../policy/policy-text.ts';
import type { ControlState } from './control-state.ts';
import { openEvidence } from './evidence.ts';
import type { PolicyVersion } from './policy-book.ts';

/**
 * Why a version of the policy does not hold: by its signatures, by who was an operator at its place in the log, and
 * by its place in the history. @returns undefined when it holds
 */
export function policyObjection(state: ControlState, at: number): string | undefined {
  const { history } = state.policy;
  const [one, before] = [history[at], history[at - 1]];
  if (one === undefined) return 'it is not in the log';
  const { value, evidence, index } = one;
  if (before !== undefined && value.version !== before.value.version + 1) {
    return 'a version before it is missing';
  }
  if (before !== undefined && value.base !== before.value.version) return 'it replaces another';
  if (evidence.length === 0) return at === 0 ? undefined : 'nobody has signed it';
  try {
    const { command, signers } = openEvidence(evidence, state.cluster);
    const { body } = command;
    if (body.kind !== 'policy' || body.version !== value.version || body.base !== value.base) {
      return 'its signatures are for another command';
    }
    if (!equal(body.document, encodePolicy(value.document))) {
      return 'its signatures are for another document';
    }
    return operatorsObjection(state, { index, signers });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return (error as Error).message;
  }
}

/** Operators of then, not of now: who has left since has signed what still holds. */
function operatorsObjection(
  { generation, operators }: ControlState,
  { index, signers }: Pick<PolicyVersion, 'index'> & { readonly signers: ReadonlySet<string> },
): string | undefined {
  const then = operators.history.findLast((one) => one.index < index);
  // Of a generation before, or of operators that are too old to be kept: any that are known must do.
  const sets = then === undefined || generation > 1 ? operators.history : [then];
  const counts = sets.map(({ value }) => ({
    threshold: value.threshold,
    count: value.operators.filter(({ key }) => signers.has(key)).length,
  }));
  if (counts.some(({ count, threshold }) => count >= threshold)) return undefined;
  const [first] = counts;
  return `${first?.threshold} operators had to sign it, ${first?.count} did`;
}
