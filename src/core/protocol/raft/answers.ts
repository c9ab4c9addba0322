import type { AgentKey } from '../../ids.ts';
import { advance } from './commitment.ts';
import { finishTransfer } from './leadership.ts';
import type { Progress, Snapshotting } from './progress.ts';
import { replicateTo } from './replication.ts';
import type { Leader } from './role.ts';
import type { RaftState } from './state.ts';
import type { BodyOf } from './types.ts';

/** Notes that a member answered in this term. @returns undefined when it is none or its answer is impossible */
function heardFrom(leader: Leader, from: AgentKey, round: number): Progress | undefined {
  const progress = leader.progress.get(from);
  if (progress === undefined || round > leader.round) return undefined;
  progress.silentTicks = 0;
  progress.answeredRound = Math.max(progress.answeredRound, round);
  return progress;
}

/** @returns what is impossible about it, if anything */
export function takeAppendResponse(
  state: RaftState,
  leader: Leader,
  from: AgentKey,
  body: BodyOf<'append-response'>,
): string | undefined {
  if (body.matchIndex > state.log.lastIndex) return 'it has more than this leader has';
  const progress = heardFrom(leader, from, body.round);
  if (progress === undefined) return 'it was not asked';
  if (body.isAccepted) accepted(progress, body.matchIndex);
  else refused(state, leader, progress, body);
  goOn(state, leader, from);
  return undefined;
}

/**
 * Only an answer that leads on asks for the next piece at once; any other waits for the next heartbeat.
 * Else each doubled message would start one more exchange of pieces, and they would never end.
 */
function moved(sending: Snapshotting, offset: number): Snapshotting {
  return { ...sending, offset, isWaiting: sending.isWaiting && offset <= sending.offset };
}

/** Commits and sends what the answer has made possible. */
function goOn(state: RaftState, leader: Leader, from: AgentKey): void {
  advance(state, leader);
  if (state.role !== leader) return;
  replicateTo(state, leader, from, 'entries');
  if (leader.transfer?.to === from) finishTransfer(state, leader);
}

function accepted(progress: Progress, matchIndex: number): void {
  progress.matchIndex = Math.max(progress.matchIndex, matchIndex);
  const { sending } = progress;
  if (sending.kind === 'snapshotting' && matchIndex < sending.snapshot.index) return;
  // It answers an append that was sent before the probe under way.
  if (sending.kind === 'probing' && matchIndex + 1 < progress.nextIndex) return;
  const isKnown = sending.kind === 'replicating';
  progress.nextIndex = Math.max(isKnown ? progress.nextIndex : 0, matchIndex + 1);
  progress.sending = { kind: 'replicating' };
}

/**
 * Goes back to where the logs may agree. A refusal that does not lead back answers an older append; so may any
 * of a stream that came out of order, and if each of those opened the window anew, they would multiply.
 */
function refused(
  state: RaftState,
  leader: Leader,
  progress: Progress,
  body: BodyOf<'append-response'>,
): void {
  const { kind } = progress.sending;
  if (kind === 'snapshotting') return;
  const { index } = state.log.lastNotAfter(body.matchIndex, body.hintTerm);
  if (index + 1 >= progress.nextIndex) return;
  if (kind === 'replicating') {
    if (body.round <= progress.retreatRound) return;
    progress.retreatRound = leader.round;
  }
  progress.nextIndex = index + 1;
  progress.sending = { kind: 'probing', isWaiting: false };
}

/** @returns what is impossible about it, if anything */
export function takeSnapshotResponse(
  state: RaftState,
  leader: Leader,
  from: AgentKey,
  body: BodyOf<'snapshot-response'>,
): string | undefined {
  const progress = heardFrom(leader, from, body.round);
  if (progress === undefined) return 'it was not asked';
  const { sending } = progress;
  if (sending.kind === 'snapshotting' && sending.snapshot.index === body.index) {
    const size = sending.snapshot.state.length;
    if (body.nextOffset > size) return 'it has more than the snapshot has';
    if (body.nextOffset === size) accepted(progress, body.index);
    else progress.sending = moved(sending, body.nextOffset);
  }
  goOn(state, leader, from);
  return undefined;
}
