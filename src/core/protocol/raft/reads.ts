import { reachedByQuorum } from './membership.ts';
import { beginRound } from './replication.ts';
import type { Leader } from './role.ts';
import type { RaftState } from './state.ts';

/**
 * Linearizable reads without a log entry: ReadIndex (dissertation, section 6.4). What was committed
 * anywhere before the read was asked is committed here once an entry of the own term is, provided that
 * this leader had not been replaced by then; a quorum that answers a later round of heartbeats in this
 * term proves it. No clock is trusted.
 */
export function takeRead(state: RaftState, leader: Leader, id: number): void {
  // The round under way may have begun before. Reads that come while others wait share the next one.
  const isIdle = leader.reads.length === 0;
  leader.reads = [...leader.reads, { id, round: leader.round + 1 }];
  if (isIdle) beginRound(state, leader);
  confirmReads(state, leader);
}

/** Answers the reads whose round a quorum has answered, and begins the round that the others wait for. */
export function confirmReads(state: RaftState, leader: Leader): void {
  if (leader.reads.length === 0 || !hasCommittedInTerm(state)) return;
  const confirmed = confirmedRound(state, leader);
  const isConfirmed = ({ round }: { readonly round: number }): boolean => round <= confirmed;
  for (const { id } of leader.reads.filter(isConfirmed)) {
    state.outbox.add({ kind: 'readable', id, index: state.commit });
  }
  leader.reads = leader.reads.filter((read) => !isConfirmed(read));
  const isNextDue = leader.reads.length > 0 && confirmed === leader.round;
  if (!isNextDue) return;
  beginRound(state, leader);
  confirmReads(state, leader);
}

/** True once this leader knows everything that earlier ones have committed. */
export function hasCommittedInTerm(state: RaftState): boolean {
  return state.log.termAt(state.commit) === state.term;
}

function confirmedRound(state: RaftState, leader: Leader): number {
  return reachedByQuorum(state.log.config, (voter) =>
    voter === state.self ? leader.round : (leader.progress.get(voter)?.answeredRound ?? 0),
  );
}
