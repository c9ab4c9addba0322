import { assertNever } from '../../../base/assert.ts';
import type { BodyOf, ControlCommand } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import type { ControlState } from './control-state.ts';
import type { ControlMember } from './member-book.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** Commands about what is kept and what expires, but for those that operators' threshold signs. */
export type KeepingBody = BodyOf<
  'thaw' | 'hold' | 'undelete' | 'expire' | 'confirm-expiry' | 'quarantine' | 'clear-quarantine'
>;

/**
 * What such a command does. Keeping more needs one signature; keeping less is for `operatorsChange`.
 * @throws HoldfastError not-permitted
 */
export function keepingChange(
  state: ControlState,
  { id, body }: { readonly id: ControlCommand['id']; readonly body: KeepingBody },
  place: CommandPlace,
): Change {
  const { authority, fates, holds, members, thaws, time } = state;
  const { signers } = place;
  switch (body.kind) {
    case 'thaw':
      authority.requireOperator(signers);
      return thaws.check(body, members);
    case 'hold': {
      const authors = authority.requireOperator(signers);
      const add = holds.checkHold(body, { id, authors, sinceMs: time.nowMs });
      return () => {
        add();
        fates.hold(body);
      };
    }
    case 'undelete':
      requireOperatorOrAuditor(state, signers);
      return fates.checkUndelete(body);
    case 'expire':
      return fates.checkExpire(body, authority.requireVoter(signers).agent, id);
    case 'confirm-expiry':
      return fates.checkConfirm(body, confirmer(state, signers), place);
    case 'quarantine':
      return fates.checkQuarantine(body, requireStorage(state, signers).agent);
    case 'clear-quarantine':
      authority.requireOperator(signers);
      return fates.checkClear(body);
    default:
      return assertNever(body);
  }
}

/** A member that reckons for itself, or undefined when an operator answers for it. */
function confirmer(
  { authority, members }: ControlState,
  signers: ReadonlySet<string>,
): ControlMember | undefined {
  if ([...signers].some((signer) => members.of(signer as AgentKey) !== undefined)) {
    return authority.requireMember(signers);
  }
  authority.requireOperator(signers);
  return undefined;
}

function requireOperatorOrAuditor(state: ControlState, signers: ReadonlySet<string>): void {
  const { authority, members } = state;
  const isAuditor = [...signers].some((signer) =>
    members.of(signer as AgentKey)?.roles.includes('auditor'),
  );
  if (!isAuditor) authority.requireOperator(signers);
}

function requireStorage({ authority }: ControlState, signers: ReadonlySet<string>): ControlMember {
  const member = authority.requireMember(signers);
  if (member.roles.includes('storage')) return member;
  throw refusal(`"${member.name}" stores nothing`);
}
