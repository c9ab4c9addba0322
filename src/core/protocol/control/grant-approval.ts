import type { ControlBody, RunGrant } from '../../format/control-records.ts';
import type { ControlState } from './control-state.ts';

/**
 * Which signatures a command that operators sign still lacks, by the threshold or by what the policy asks for;
 * undefined: none.
 */
export function objectionTo(
  state: ControlState,
  body: ControlBody,
  signers: ReadonlySet<string>,
): string | undefined {
  if (body.kind === 'grant') return grantObjection(state, body, signers);
  return state.authority.objection(body, signers);
}

/**
 * Who must approve that data is opened somewhere is said by the policy, for each dataset that the plan restores;
 * one operator where it says nothing.
 */
function grantObjection(
  state: ControlState,
  grant: RunGrant,
  signers: ReadonlySet<string>,
): string | undefined {
  const { operators } = state.operators.current;
  const signed = operators.filter(({ key }) => signers.has(key));
  if (signed.length === 0) return 'an operator must sign this';
  const { plan } = state.plans.runOf(grant)?.record ?? {};
  for (const { name } of plan?.datasets ?? []) {
    const { approvals = 1, by } = state.policy.ruleFor(name).restore ?? {};
    const found = signed.filter((one) => by === undefined || by.includes(one.name)).length;
    if (found >= approvals) continue;
    const who = by === undefined ? 'the operators' : by.join(', ');
    return `${approvals} of ${who} must approve a restore of dataset ${name}, ${found} did`;
  }
  return undefined;
}

/** How many operators must sign a command. */
export function signaturesNeeded(state: ControlState, body: ControlBody): number {
  if (body.kind !== 'grant') return state.operators.current.threshold;
  const { plan } = state.plans.runOf(body)?.record ?? {};
  const rules = (plan?.datasets ?? []).map(({ name }) => state.policy.ruleFor(name).restore);
  return Math.max(1, ...rules.map((rule) => rule?.approvals ?? 1));
}
