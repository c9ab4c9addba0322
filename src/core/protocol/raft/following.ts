import type { AgentKey } from '../../ids.ts';
import { InboundSnapshot } from './inbound-snapshot.ts';
import type { RaftState } from './state.ts';
import type { BodyOf, RaftMessage } from './types.ts';

/**
 * Takes entries from the leader of the own or a later term; also from one that is no member here, since
 * the configuration that made it one may be among these very entries (dissertation, section 4.1).
 * @returns what is impossible about it, if anything; then nothing has changed
 */
export function takeAppendRequest(
  state: RaftState,
  message: RaftMessage,
  body: BodyOf<'append-request'>,
): string | undefined {
  const problem = leaderProblem(state, message) ?? conflictWithCommitted(state, body);
  if (problem !== undefined) return problem;
  follow(state, message);
  const { round } = body;
  if (body.previousIndex < state.commit) {
    // An old message: what is committed agrees with every leader's log, so there is nothing to compare.
    accept(state, message.from, { matchIndex: state.commit, round });
    return undefined;
  }
  if (!state.log.has({ index: body.previousIndex, term: body.previousTerm })) {
    const hint = state.log.lastNotAfter(body.previousIndex, body.previousTerm);
    const [matchIndex, hintTerm] = [hint.index, hint.term];
    const refusal = { kind: 'append-response', isAccepted: false, matchIndex, hintTerm, round };
    state.send(message.from, refusal as BodyOf<'append-response'>);
    return undefined;
  }
  const matchIndex = store(state, body);
  state.noteRegained();
  state.commitTo(Math.min(body.commit, matchIndex));
  accept(state, message.from, { matchIndex, round });
  return undefined;
}

/** Appends what is new. Entries of another term than the leader's, and those after them, give way. */
function store(state: RaftState, { previousIndex, entries }: BodyOf<'append-request'>): number {
  const fresh = entries.findIndex((entry) => !state.log.has(entry));
  const first = entries[fresh];
  if (first !== undefined) {
    const added = entries.slice(fresh);
    if (first.index > state.log.lastIndex) state.append(added);
    else state.replaceFrom(first.index, added);
  }
  return previousIndex + entries.length;
}

/** Takes a piece of the leader's snapshot, and puts the whole in the place of the own log. */
export function takeSnapshotRequest(
  state: RaftState,
  message: RaftMessage,
  body: BodyOf<'snapshot-request'>,
): string | undefined {
  const problem = leaderProblem(state, message);
  if (problem !== undefined) return problem;
  follow(state, message);
  const { index, round } = body;
  if (state.log.has({ index, term: body.snapshotTerm })) {
    // A snapshot holds committed entries only, and here they are.
    state.commitTo(index);
  }
  if (index <= state.commit) {
    state.inbound = undefined;
    accept(state, message.from, { matchIndex: state.commit, round });
    return undefined;
  }
  const nextOffset = takePiece(state, message, body);
  if (nextOffset !== undefined) {
    state.send(message.from, { kind: 'snapshot-response', index, nextOffset, round });
  }
  return undefined;
}

/** @returns how many bytes are here now; undefined when the piece is of a snapshot that was given up */
function takePiece(
  state: RaftState,
  { term }: RaftMessage,
  body: BodyOf<'snapshot-request'>,
): number | undefined {
  if (state.inbound?.isNewerThan(term, body)) return undefined;
  if (!state.inbound?.isContinuedBy(term, body)) state.inbound = new InboundSnapshot(term, body);
  const snapshot = state.inbound.take(body);
  const { received } = state.inbound;
  if (snapshot !== undefined) {
    state.inbound = undefined;
    state.install(snapshot);
    state.noteRegained();
  }
  return received;
}

/** Tells a leader of an earlier term that it has been replaced: it may hear of that from nobody else. */
export function refuseOldLeader(state: RaftState, from: AgentKey): void {
  const nothing = { matchIndex: 0, hintTerm: 0, round: 0 };
  state.send(from, { kind: 'append-response', isAccepted: false, ...nothing });
}

/** Any role -> follower of the sender, and the time that it is given begins anew. */
function follow(state: RaftState, { from, term }: RaftMessage): void {
  if (term > state.term) state.enterTerm(term);
  if (state.leader !== from) state.becomeFollower(from);
  state.elapsedTicks = 0;
}

function leaderProblem(state: RaftState, { from, term }: RaftMessage): string | undefined {
  if (term > state.term || state.leader === undefined || state.leader === from) return undefined;
  return 'its term has another leader';
}

function conflictWithCommitted(
  state: RaftState,
  body: BodyOf<'append-request'>,
): string | undefined {
  const { log, commit } = state;
  const { previousIndex: index, previousTerm: term } = body;
  const isKnown = index <= commit && index >= log.snapshot.index;
  const agrees =
    (!isKnown || log.has({ index, term })) &&
    body.entries.every(
      (entry) => entry.index > commit || entry.index < log.snapshot.index || log.has(entry),
    );
  return agrees ? undefined : 'it contradicts what is committed';
}

function accept(
  state: RaftState,
  to: AgentKey,
  { matchIndex, round }: { readonly matchIndex: number; readonly round: number },
): void {
  state.send(to, { kind: 'append-response', isAccepted: true, matchIndex, hintTerm: 0, round });
}
