import { HoldfastError } from '../../errors.ts';
import { decodeCommand, encodeCommand } from '../../format/control-command.ts';
import type { BodyOf, ControlBody, ControlCommand } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import type { ControlState } from './control-state.ts';
import { isAgainst, isDestructive } from './destructive.ts';
import { commandHash } from './evidence.ts';
import { canBeCompleted, objectionTo } from './grant-approval.ts';
import { mayBeProposed } from './operators-change.ts';
import { evidenceOf, isUnderWay, type Proposal } from './proposal.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** @throws HoldfastError not-permitted | bad-encoding */
export function proposeChange(
  state: ControlState,
  { command: payload, lastsMs }: BodyOf<'propose'>,
  place: CommandPlace,
): Change {
  const { generation, index, envelope } = place;
  const command = decodeCommand(payload);
  state.format.requireInForce(command.body);
  if (!mayBeProposed(command.body)) throw refusal('operators have nothing to sign in this');
  const operators = signersOf(state, command.body, place.signers);
  if (operators.length === 0) throw refusal('an operator must sign this');
  if (state.isKnown(command.id)) throw refusal('the proposed command is known already');
  const hash = commandHash(payload, { cluster: state.cluster, generation });
  state.proposals.requireRoom(operators);
  requireHope(state, command, place);
  const wait = state.time.begin(place, lastsMs);
  const begun = { hash, command, envelope, generation, index, wait };
  const { change } = approved(state, { ...begun, ...untouched }, { operators, place });
  return () => {
    state.remember(command.id);
    change();
  };
}

/**
 * A command that cannot be taken back, with all its signatures: it waits like one that was proposed.
 * @throws HoldfastError not-permitted
 */
export function waitingChange(
  state: ControlState,
  command: ControlCommand,
  place: CommandPlace,
): Change {
  const { generation, index, envelope } = place;
  const operators = signersOf(state, command.body, place.signers);
  requireHope(state, command, place);
  const hash = commandHash(encodeCommand(command), { cluster: state.cluster, generation });
  const wait = state.time.begin(place, 0);
  const begun = { hash, command, envelope, generation, index, wait };
  return approved(state, { ...begun, ...untouched }, { operators, place }).change;
}

const untouched = {
  state: 'open',
  approvals: [],
  denials: [],
  endIndex: 0,
  reason: '',
  endedBy: undefined,
} as const;

/** @throws HoldfastError not-permitted */
export function approveChange(
  state: ControlState,
  { hash }: BodyOf<'approve'>,
  place: CommandPlace,
): Change {
  const proposal = requireOpen(state, hash);
  const { approvals, command } = proposal;
  const operators = signersOf(state, command.body, place.signers);
  if (operators.length === 0) throw refusal('an operator must sign this');
  const isNew = (key: AgentKey): boolean => !approvals.some(({ operator }) => operator === key);
  const added = operators.filter(isNew);
  if (added.length === 0) throw refusal('this operator has signed it already');
  const from = place.envelope;
  return approved(state, proposal, { operators: added, place, from }).change;
}

/** @throws HoldfastError not-permitted */
export function denyChange(
  state: ControlState,
  { hash, reason }: BodyOf<'deny'>,
  place: CommandPlace,
): Change {
  const proposal = requireOpen(state, hash);
  const [operator] = state.authority.requireOperator(place.signers);
  if (operator === undefined) throw refusal('an operator must sign this');
  if (proposal.denials.some((one) => one.operator === operator)) {
    throw refusal('this operator has denied it already');
  }
  const { index } = place;
  const denials = [...proposal.denials, { operator, index, reason }];
  // Who has changed their mind signs no more.
  const approvals = proposal.approvals.filter((one) => one.operator !== operator);
  const deniers = new Set<string>(denials.map((one) => one.operator));
  const end = canBeCompleted(state, proposal.command.body, deniers)
    ? {}
    : { state: 'denied' as const, endIndex: index, reason: reasonOf(reason) };
  return () => state.proposals.set({ ...proposal, denials, approvals, ...end });
}

/** @throws HoldfastError not-permitted */
export function vetoChange(
  state: ControlState,
  { hash, reason }: BodyOf<'veto'>,
  place: CommandPlace,
): Change {
  const proposal = state.proposals.of(hash);
  if (proposal === undefined) throw refusal('there is no such proposal');
  if (proposal.state !== 'waiting') {
    throw refusal(`the proposal is ${proposal.state}: only what waits can be stopped`);
  }
  const endedBy = vetoerOf(state, place.signers);
  if (isAgainst(state, proposal.command.body, endedBy)) {
    throw refusal('nobody stops what is against themselves');
  }
  const { index: endIndex } = place;
  return () => state.proposals.set({ ...proposal, state: 'vetoed', endIndex, endedBy, reason });
}

function vetoerOf(state: ControlState, signers: ReadonlySet<string>): AgentKey {
  const [operator] = state.operators.among(signers);
  if (operator !== undefined) return operator;
  const member = state.authority.requireMember(signers);
  if (member.roles.includes('auditor')) return member.agent;
  throw refusal(`"${member.name}" has not the role auditor`);
}

/** Lets what has waited long enough take effect, and ends what has expired. Call after each command. */
export function settleProposals(
  state: ControlState,
  place: { readonly generation: number; readonly index: number },
): void {
  state.proposals.settle(state.time);
  for (const { hash } of state.proposals.underWay()) {
    // One that takes effect may end another: each is looked up anew.
    const proposal = state.proposals.of(hash);
    if (proposal === undefined || !isUnderWay(proposal)) continue;
    if (!state.time.isOver(proposal.wait)) continue;
    const endIndex = place.index;
    if (proposal.state === 'waiting') effect(state, proposal, place)();
    else state.proposals.set({ ...proposal, state: 'expired', endIndex });
  }
}

type Approving = {
  readonly operators: readonly AgentKey[];
  readonly place: CommandPlace;
  /** Undefined: the envelope that proposed. */
  readonly from?: Uint8Array;
};

/** With these signatures more: it stays open, begins to wait, or takes effect here. */
function approved(
  state: ControlState,
  before: Proposal,
  { operators, place, from }: Approving,
): { change: Change } {
  const { index, timeMs } = place;
  const added = operators.map((operator) => ({ operator, index, timeMs, envelope: from }));
  const proposal: Proposal = { ...before, approvals: [...before.approvals, ...added] };
  const { body } = proposal.command;
  const signers = signersInForce(state, proposal);
  const keep =
    (next: Proposal): Change =>
    () =>
      state.proposals.set(next);
  if (objectionTo(state, body, signers) !== undefined) return { change: keep(proposal) };
  const { destructiveDelayMs } = state.policy.current;
  if (isDestructive(state, body) && destructiveDelayMs > 0) {
    const wait = state.time.begin(place, destructiveDelayMs);
    return { change: keep({ ...proposal, state: 'waiting', wait }) };
  }
  return { change: effect(state, proposal, place) };
}

/** Which signatures it still lacks, in words; undefined: none. */
export function lackOf(state: ControlState, proposal: Proposal): string | undefined {
  return objectionTo(state, proposal.command.body, signersInForce(state, proposal));
}

/** Signatures of those who are operators no more have stopped counting. */
function signersInForce(state: ControlState, { command, approvals }: Proposal): Set<string> {
  const all = new Set<string>(approvals.map(({ operator }) => operator));
  return new Set(signersOf(state, command.body, all));
}

function effect(
  state: ControlState,
  proposal: Proposal,
  { generation, index }: { readonly generation: number; readonly index: number },
): Change {
  const { command, envelope } = proposal;
  const signers = signersInForce(state, proposal);
  const evidence = evidenceOf(proposal);
  const place = { generation, index, signers, envelope, evidence, timeMs: command.timeMs };
  try {
    const change = state.changeFor(command, { ...place, isRipe: true });
    return () => {
      state.proposals.set({ ...proposal, state: 'done', endIndex: index });
      change();
    };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const reason = reasonOf(error.message);
    return () => state.proposals.set({ ...proposal, state: 'failed', endIndex: index, reason });
  }
}

/** Nobody is asked to sign what would be void with all signatures. @throws HoldfastError not-permitted | ... */
function requireHope(state: ControlState, command: ControlCommand, place: CommandPlace): void {
  const everybody = [
    ...state.operators.current.operators,
    ...(command.body.kind === 'operators' ? command.body.operators : []),
  ];
  const signers = new Set<string>(everybody.map(({ key }) => key));
  state.changeFor(command, { ...place, signers, isRipe: true });
}

/** Who of these may sign this command: operators, and those who shall become some by it. */
function signersOf(
  state: ControlState,
  body: ControlBody,
  signers: ReadonlySet<string>,
): AgentKey[] {
  const coming = body.kind === 'operators' ? body.operators : [];
  const keys = coming.map(({ key }) => key).filter((key) => signers.has(key));
  return [...new Set([...state.operators.among(signers), ...keys])].sort();
}

function requireOpen(state: ControlState, hash: Proposal['hash']): Proposal {
  const proposal = state.proposals.of(hash);
  if (proposal === undefined) throw refusal('there is no such proposal');
  if (proposal.state === 'open') return proposal;
  throw refusal(`the proposal is ${proposal.state}`);
}

function reasonOf(text: string): string {
  return text.slice(0, 1024);
}
