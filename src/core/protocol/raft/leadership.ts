import { assert } from '../../../base/assert.ts';
import type { AgentKey } from '../../ids.ts';
import { advance } from './commitment.ts';
import { encodeConfig } from './config-codec.ts';
import { isVoter, membersOf, problemOfChange, quorumOf } from './membership.ts';
import { newProgress } from './progress.ts';
import { hasCommittedInTerm } from './reads.ts';
import { beginRound, replicate } from './replication.ts';
import type { Leader } from './role.ts';
import type { RaftState } from './state.ts';
import type { RaftConfig, RaftEntry, RaftOutcome } from './types.ts';

/** Candidate -> leader: opens its term with an empty entry, which commits what earlier terms have left. */
export function becomeLeader(state: RaftState): void {
  const nextIndex = state.log.lastIndex + 1;
  const others = membersOf(state.log.config).filter((agent) => agent !== state.self);
  const leader: Leader = {
    kind: 'leader',
    progress: new Map(others.map((agent) => [agent, newProgress(nextIndex)])),
    round: 0,
    ticksToHeartbeat: 0,
    reads: [],
    transfer: undefined,
  };
  state.role = leader;
  appendOne(state, 'noop', new Uint8Array(0));
  beginRound(state, leader);
  advance(state, leader);
}

/** Leader -> follower, when no quorum has answered for the longest election timeout (dissertation, 6.2). */
export function leaderTick(state: RaftState, leader: Leader): void {
  const { electionTicksMax } = state.settings;
  for (const one of leader.progress.values()) {
    one.silentTicks = Math.min(one.silentTicks + 1, electionTicksMax);
  }
  if (!hasQuorum(state, leader)) {
    state.becomeFollower(undefined);
    return;
  }
  transferTick(leader);
  leader.ticksToHeartbeat--;
  if (leader.ticksToHeartbeat <= 0) beginRound(state, leader);
}

function hasQuorum(state: RaftState, leader: Leader): boolean {
  const { config } = state.log;
  const heard = config.voters.filter(
    (voter) => voter === state.self || isActive(state, leader, voter),
  );
  return heard.length >= quorumOf(config);
}

/** True when it has answered within the longest election timeout. */
export function isActive(state: RaftState, leader: Leader, agent: AgentKey): boolean {
  const silentTicks = leader.progress.get(agent)?.silentTicks;
  return silentTicks !== undefined && silentTicks < state.settings.electionTicksMax;
}

/** Appends a command. The outcome's index is its place, final only if it is applied with this term. */
export function propose(state: RaftState, leader: Leader, payload: Uint8Array): RaftOutcome {
  if (leader.transfer !== undefined) return { kind: 'not-ready' };
  const index = appendOne(state, 'command', payload);
  replicate(state, leader, 'entries');
  advance(state, leader);
  return { kind: 'ok', index };
}

/**
 * Appends a configuration, which counts at once. Without an entry committed in the own term, an earlier
 * leader's change that nobody has seen could still win over this one, with a majority that shares no
 * voter with this one's (Ongaro, "bug in single-server membership changes", raft-dev, 2015).
 */
export function configure(state: RaftState, leader: Leader, config: RaftConfig): RaftOutcome {
  const current = state.log.config;
  const reason = problemOfChange(current, config);
  if (reason !== undefined) return { kind: 'invalid', reason };
  if (leader.transfer !== undefined || !hasCommittedInTerm(state)) return { kind: 'not-ready' };
  if (state.log.configIndex > state.commit) return { kind: 'change-pending' };
  const index = appendOne(state, 'config', encodeConfig(config));
  const members = membersOf(config).filter((agent) => agent !== state.self);
  for (const agent of members) {
    if (!leader.progress.has(agent)) leader.progress.set(agent, newProgress(index));
  }
  // Those who leave are told once, before they are forgotten: so they will not stand for election.
  replicate(state, leader, 'entries');
  for (const agent of leader.progress.keys()) {
    if (!members.includes(agent)) leader.progress.delete(agent);
  }
  advance(state, leader);
  return { kind: 'ok', index };
}

/** Hands leadership over: the other voter is brought up to date and told to stand (dissertation, 3.10). */
export function transfer(state: RaftState, leader: Leader, wanted?: AgentKey): RaftOutcome {
  const { config } = state.log;
  const to = wanted ?? mostUpToDate(state, leader);
  if (to === undefined) return { kind: 'invalid', reason: 'no other voter is active' };
  if (to === state.self || !isVoter(config, to)) {
    return { kind: 'invalid', reason: `${to} is no other voter` };
  }
  leader.transfer = { to, ticksLeft: state.settings.electionTicksMax };
  replicate(state, leader, 'commit');
  finishTransfer(state, leader);
  return { kind: 'ok' };
}

/** Tells the chosen voter to stand once it has everything. */
export function finishTransfer(state: RaftState, leader: Leader): void {
  const to = leader.transfer?.to;
  if (to === undefined || leader.progress.get(to)?.matchIndex !== state.log.lastIndex) return;
  state.send(to, { kind: 'timeout-now' });
}

/** Goes on as leader when the other has not taken over in time. */
function transferTick(leader: Leader): void {
  if (leader.transfer === undefined) return;
  const ticksLeft = leader.transfer.ticksLeft - 1;
  leader.transfer = ticksLeft > 0 ? { ...leader.transfer, ticksLeft } : undefined;
}

function mostUpToDate(state: RaftState, leader: Leader): AgentKey | undefined {
  let best: { readonly agent: AgentKey; readonly matchIndex: number } | undefined;
  for (const [agent, { matchIndex }] of leader.progress) {
    if (!isVoter(state.log.config, agent) || !isActive(state, leader, agent)) continue;
    if (best === undefined || matchIndex > best.matchIndex) best = { agent, matchIndex };
  }
  return best?.agent;
}

function appendOne(state: RaftState, kind: RaftEntry['kind'], payload: Uint8Array): number {
  const index = state.log.lastIndex + 1;
  assert(Number.isSafeInteger(index), 'an index is exact');
  state.append([{ index, term: state.term, kind, payload }]);
  return index;
}
