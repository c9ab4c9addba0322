import type { BodyOf, ControlBody } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { termsOf } from '../../policy/policy-terms.ts';
import { decodePolicy } from '../../policy/policy-text.ts';
import type { ControlState } from './control-state.ts';

/**
 * True for what cannot be taken back, or what would take away the time and the people to stop such a thing: it
 * waits the policy's `destructiveDelay`, in which one auditor's veto stops it.
 * @throws HoldfastError bad-encoding (a policy)
 */
export function isDestructive(state: ControlState, body: ControlBody): boolean {
  switch (body.kind) {
    case 'operators':
      return removedOperators(state, body).length > 0 || lowersThreshold(state, body);
    case 'policy':
      return shortensDelays(state, body);
    // Everybody else must be cut at once when their host is stolen; who may say no must be told before.
    case 'roles':
      return body.remove.includes('auditor');
    case 'expel':
      return state.members.of(body.agent)?.roles.includes('auditor') === true;
    case 'key-destroy':
    // `forget` waits by itself: snapshots that are forgotten go through veto and trash.
    case 'release':
    case 'unlock':
      return true;
    default:
      return false;
  }
}

/** True when the command is against this very agent or operator, whose word must not keep itself in office. */
export function isAgainst(state: ControlState, body: ControlBody, key: AgentKey): boolean {
  if (body.kind === 'operators') return removedOperators(state, body).includes(key);
  return (body.kind === 'roles' || body.kind === 'expel') && body.agent === key;
}

function removedOperators(state: ControlState, { operators }: BodyOf<'operators'>): AgentKey[] {
  const kept = new Set(operators.map(({ key }) => key));
  return state.operators.current.operators.map(({ key }) => key).filter((key) => !kept.has(key));
}

function lowersThreshold(state: ControlState, { threshold }: BodyOf<'operators'>): boolean {
  return threshold < state.operators.current.threshold;
}

function shortensDelays(state: ControlState, { document }: BodyOf<'policy'>): boolean {
  const now = state.policy.current;
  const then = termsOf(decodePolicy(document), now.surviveSites);
  return (
    then.destructiveDelayMs < now.destructiveDelayMs ||
    then.expiry.vetoMs < now.expiry.vetoMs ||
    then.expiry.trashMs < now.expiry.trashMs
  );
}
