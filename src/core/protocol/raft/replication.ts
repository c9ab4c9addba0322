import type { AgentKey } from '../../ids.ts';
import { inFlight, type Progress, type Snapshotting } from './progress.ts';
import type { Leader } from './role.ts';
import type { RaftState } from './state.ts';

/**
 * How a leader brings its log to the others. Of each it knows what is durable there (`matchIndex`, which
 * commits count) and guesses where to go on (`nextIndex`): first by probing, then without waiting for
 * answers, and by snapshot where the log has been compacted. A refusal leads back to probing, and each
 * heartbeat repeats what has not been answered, so no lost message needs a timer of its own.
 */

/** `commit` and `heartbeat` are said even when there is no entry to send; `heartbeat` also repeats. */
export type Occasion = 'entries' | 'commit' | 'heartbeat';

/** Sends to everybody what the occasion asks for. */
export function replicate(state: RaftState, leader: Leader, occasion: Occasion): void {
  for (const to of leader.progress.keys()) replicateTo(state, leader, to, occasion);
}

/** Begins a round: a heartbeat to everybody, whose answers confirm that this is still the leader. */
export function beginRound(state: RaftState, leader: Leader): void {
  leader.round++;
  leader.ticksToHeartbeat = state.settings.heartbeatTicks;
  replicate(state, leader, 'heartbeat');
}

/** Sends what this member lacks, as far as its window is open. */
export function replicateTo(
  state: RaftState,
  leader: Leader,
  to: AgentKey,
  occasion: Occasion,
): void {
  const progress = leader.progress.get(to);
  if (progress === undefined) return;
  if (progress.sending.kind !== 'snapshotting' && progress.nextIndex <= state.log.snapshot.index) {
    const { snapshot } = state.log;
    progress.sending = { kind: 'snapshotting', snapshot, offset: 0, isWaiting: false };
  }
  const { sending } = progress;
  if (sending.kind === 'replicating') {
    stream(state, leader, to, { progress, occasion });
  } else if (!sending.isWaiting || occasion === 'heartbeat') {
    if (sending.kind === 'snapshotting') sendPiece(state, leader, to, { progress, sending });
    else sendAppend(state, leader, to, progress);
  }
}

function stream(
  state: RaftState,
  leader: Leader,
  to: AgentKey,
  { progress, occasion }: { readonly progress: Progress; readonly occasion: Occasion },
): void {
  const hasMore = (): boolean =>
    progress.nextIndex <= state.log.lastIndex && windowOf(state, progress) > 0;
  if (!hasMore() && occasion !== 'entries') sendAppend(state, leader, to, progress);
  while (hasMore()) sendAppend(state, leader, to, progress);
}

/** Entries that may be sent now. One that has long been silent gets bare heartbeats until it answers. */
function windowOf(state: RaftState, progress: Progress): number {
  if (isSilent(state, progress)) return 0;
  if (progress.sending.kind !== 'replicating') return state.settings.entriesInFlightMax;
  return Math.max(0, state.settings.entriesInFlightMax - inFlight(progress));
}

function isSilent(state: RaftState, progress: Progress): boolean {
  return progress.silentTicks >= state.settings.electionTicksMin;
}

function sendAppend(state: RaftState, leader: Leader, to: AgentKey, progress: Progress): void {
  const { log, settings } = state;
  const previousIndex = progress.nextIndex - 1;
  const entries = log.batch(progress.nextIndex, {
    countMax: windowOf(state, progress),
    bytesMax: settings.messageBytesMax,
  });
  if (progress.sending.kind === 'probing') progress.sending = { kind: 'probing', isWaiting: true };
  else progress.nextIndex += entries.length;
  state.send(to, {
    kind: 'append-request',
    previousIndex,
    previousTerm: log.termAt(previousIndex) ?? 0,
    entries,
    commit: state.commit,
    round: leader.round,
  });
}

function sendPiece(
  state: RaftState,
  leader: Leader,
  to: AgentKey,
  { progress, sending }: { readonly progress: Progress; readonly sending: Snapshotting },
): void {
  const isLost = isSilent(state, progress);
  // An older snapshot is kept for a transfer that moves on, not for a member that may never come back.
  const isObsolete = isLost && sending.snapshot.index < state.log.snapshot.index;
  const { snapshot, offset } = isObsolete ? { snapshot: state.log.snapshot, offset: 0 } : sending;
  progress.sending = { kind: 'snapshotting', snapshot, offset, isWaiting: true };
  const size = isLost ? 0 : state.settings.messageBytesMax;
  state.send(to, {
    kind: 'snapshot-request',
    index: snapshot.index,
    snapshotTerm: snapshot.term,
    config: snapshot.config,
    offset,
    bytes: snapshot.state.subarray(offset, offset + size),
    totalSize: snapshot.state.length,
    round: leader.round,
  });
}
