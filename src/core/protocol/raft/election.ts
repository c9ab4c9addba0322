import type { AgentKey } from '../../ids.ts';
import { becomeLeader } from './leadership.ts';
import { isVoter, quorumOf } from './membership.ts';
import type { Candidate } from './role.ts';
import type { RaftState } from './state.ts';
import type { BodyOf, RaftMessage } from './types.ts';

/**
 * Follower or candidate -> pre-candidate, when no leader was heard of for an election timeout. A member that
 * may not stand gives its leader up all the same, so that its vote can be had.
 */
export function electionTick(state: RaftState): void {
  state.tick();
  if (!state.isTimeUp) return;
  state.restartTimer();
  if (!mayStand(state)) {
    state.becomeFollower(undefined);
    return;
  }
  state.hasRefusedOlder = false;
  state.role = { kind: 'pre-candidate', granted: new Set() };
  ask(state, state.term + 1, { isPreVote: true, isTransfer: false });
  countVote(state, state.role, state.self);
}

/** Follower -> candidate at once, when its leader hands over to it. */
export function takeTimeoutNow(state: RaftState, { from, term }: RaftMessage): string | undefined {
  const isFromLeader =
    term === state.term && state.role.kind === 'follower' && state.leader === from;
  if (!isFromLeader) return 'it is not from the leader';
  if (mayStand(state)) stand(state, { isTransfer: true });
  return undefined;
}

/** Pre-candidate -> candidate, when a quorum would vote for it. */
function stand(state: RaftState, { isTransfer }: { isTransfer: boolean }): void {
  state.enterTerm(state.term + 1, state.self);
  state.restartTimer();
  const candidate: Candidate = { kind: 'candidate', granted: new Set() };
  state.role = candidate;
  ask(state, state.term, { isPreVote: false, isTransfer });
  countVote(state, candidate, state.self);
}

function ask(
  state: RaftState,
  term: number,
  how: { readonly isPreVote: boolean; readonly isTransfer: boolean },
): void {
  const { index: lastIndex, term: lastTerm } = state.log.last;
  for (const voter of state.log.config.voters) {
    if (voter === state.self) continue;
    state.send(voter, { kind: 'vote-request', lastIndex, lastTerm, ...how }, term);
  }
}

/**
 * Answers whoever asks, also a candidate that is no member here, and also as a learner: the candidate
 * counts this vote, so its log holds a configuration in which this member votes and which may not have
 * come here yet (dissertation, section 4.1). Nobody asks a learner otherwise.
 */
export function takeVoteRequest(
  state: RaftState,
  { from, term }: RaftMessage,
  body: BodyOf<'vote-request'>,
): void {
  // A member that was removed, or cut off for a while, must not unseat a leader that is alive (4.2.3).
  if (state.hasLeader && !body.isTransfer) return;
  if (!body.isPreVote && term > state.term) state.enterTerm(term);
  const isUpToDate = state.mayElect({ index: body.lastIndex, term: body.lastTerm });
  if (!isUpToDate) state.hasRefusedOlder = true;
  const isGranted = isUpToDate && (body.isPreVote ? term > state.term : isFree(state, from, term));
  if (isGranted && !body.isPreVote) {
    state.vote(from);
    state.elapsedTicks = 0;
  }
  state.send(from, { kind: 'vote-response', isPreVote: body.isPreVote, isGranted });
}

function isFree(state: RaftState, candidate: AgentKey, term: number): boolean {
  const { votedFor } = state.hard;
  return term === state.term && (votedFor === undefined || votedFor === candidate);
}

/** The sender's term is not above the own. A pre-vote is granted from below: it enters no term. */
export function takeVoteResponse(
  state: RaftState,
  { from, term }: RaftMessage,
  body: BodyOf<'vote-response'>,
): void {
  const { role } = state;
  if (role.kind !== (body.isPreVote ? 'pre-candidate' : 'candidate') || !body.isGranted) return;
  if (!body.isPreVote && term < state.term) return;
  countVote(state, role, from);
}

/** Candidate -> leader, when a quorum of the voters has granted the term. */
function countVote(state: RaftState, role: Candidate, from: AgentKey): void {
  const { config } = state.log;
  if (!isVoter(config, from)) return;
  role.granted.add(from);
  if (role.granted.size < quorumOf(config)) return;
  if (role.kind === 'pre-candidate') stand(state, { isTransfer: false });
  else becomeLeader(state);
}

/**
 * Voters stand. So does one whose removal is not known to be committed: its log may be the only one that
 * is long enough to win (dissertation, 4.2.2). And so does whoever had to refuse a candidate for its older log:
 * that candidate counts it as a voter, by a change that its own log does not have, and may be unable to win
 * without it (one try for each such refusal). Who is no voter by its own log leads without counting itself,
 * until an entry of its term is committed and no longer: the proofs speak of who votes, not of who is elected.
 * Nobody stands with a log that has lost what it may have acknowledged.
 */
function mayStand({ log, commit, self, lostUpTo, hasRefusedOlder }: RaftState): boolean {
  if (lostUpTo !== undefined) return false;
  const isLeaving = log.configIndex > commit && isVoter(log.previousConfig, self);
  return isVoter(log.config, self) || isLeaving || hasRefusedOlder;
}
