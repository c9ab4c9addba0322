import { assertNever } from '../../../base/assert.ts';
import { encodeCommand } from '../../format/control-command.ts';
import { controlLimits } from '../../format/control-limits.ts';
import type {
  BodyOf,
  CommandHash,
  ControlCommand,
  RestoreBody,
  RestoreRequest,
} from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import type { ControlState } from './control-state.ts';
import { commandHash } from './evidence.ts';
import { timeObjection } from './grant-approval.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { isEndOfAgent } from './restore-grant.ts';

/** What a command about restore grants does. @throws HoldfastError not-permitted */
export function restoreGrantChange(
  state: ControlState,
  command: ControlCommand & { readonly body: RestoreBody },
  place: CommandPlace,
): Change {
  const { authority, restoreGrants } = state;
  const { body } = command;
  switch (body.kind) {
    case 'restore-request':
      return place.isRipe === true
        ? approvedChange(state, { ...command, body }, place)
        : requestChange(state, { ...command, body }, place);
    case 'restore-grant': {
      const [operator] = authority.requireOperator(place.signers);
      if (operator === undefined) throw refusal('an operator must sign this');
      return restoreGrants.checkKeys(body, operator, place);
    }
    case 'restore-use':
      return restoreGrants.checkUse(body, authority.requireMember(place.signers).agent, place);
    case 'restore-end':
      return restoreGrants.checkEnd(body, enderOf(state, body, place.signers), place);
    default:
      return assertNever(body);
  }
}

type RequestCommand = ControlCommand & { readonly body: BodyOf<'restore-request'> };

/** Becomes a proposal without a signature of an operator: these come one after the other. */
function requestChange(state: ControlState, command: RequestCommand, place: CommandPlace): Change {
  const { body } = command;
  const signer = state.authority.requireMember(place.signers);
  if (body.agent !== signer.agent) throw refusal('an agent asks for itself');
  requireTerms(state, body);
  requireRoom(state, signer.agent);
  const { generation, index, envelope } = place;
  return () =>
    state.proposals.set({
      hash: hashOf(state, command, place),
      ...{ command, envelope, generation, index, state: 'open' },
      ...{ approvals: [], denials: [], endIndex: 0, reason: '', endedBy: undefined },
      wait: state.time.begin(place, controlLimits.requestLastsMs),
    });
}

function requireTerms(state: ControlState, { name, lastsMs }: RestoreRequest): void {
  const objection = timeObjection(state, [name], lastsMs);
  if (objection !== undefined) throw refusal(objection);
}

/** One agent must not be able to keep all others from asking. */
function requireRoom({ proposals }: ControlState, agent: AgentKey): void {
  const open = proposals.underWay().flatMap(({ command: { body } }) => {
    return body.kind === 'restore-request' ? [body.agent] : [];
  });
  const { requestsMax, requestsPerAgentMax } = controlBounds;
  if (open.length >= requestsMax) throw refusal('too many requests to restore are open');
  const own = open.filter((one) => one === agent).length;
  if (own >= requestsPerAgentMax) throw refusal('this agent has too many open requests');
}

function approvedChange(state: ControlState, command: RequestCommand, place: CommandPlace): Change {
  const { body } = command;
  if (state.members.of(body.agent) === undefined) throw refusal('the agent is no member any more');
  requireTerms(state, body);
  const approvals = state.operators.among(place.signers);
  const { kind: _, ...request } = body;
  const id = hashOf(state, command, place);
  return state.restoreGrants.checkApproved(id, request, { ...place, approvals });
}

function hashOf(
  { cluster }: ControlState,
  command: ControlCommand,
  { generation }: CommandPlace,
): CommandHash {
  return commandHash(encodeCommand(command), { cluster, generation });
}

/** The agent that ends its own; undefined for an operator. */
function enderOf(
  { authority }: ControlState,
  body: BodyOf<'restore-end'>,
  signers: ReadonlySet<string>,
): AgentKey | undefined {
  if (isEndOfAgent(body)) return authority.requireMember(signers).agent;
  authority.requireOperator(signers);
  return undefined;
}
