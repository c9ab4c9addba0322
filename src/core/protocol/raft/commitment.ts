import { isVoter, reachedByQuorum } from './membership.ts';
import { confirmReads, hasCommittedInTerm } from './reads.ts';
import { replicate } from './replication.ts';
import type { Leader } from './role.ts';
import type { RaftState } from './state.ts';

/**
 * Commits what a quorum of the newest configuration holds, and answers reads. Only an entry of the own
 * term is committed by counting, and earlier ones with it (Raft, 5.4.2, figure 8).
 * Leader -> follower, when an entry of its term is committed under a committed configuration in which it is no
 * voter (dissertation, 4.2.2): somebody who is one then has a log that wins.
 */
export function advance(state: RaftState, leader: Leader): void {
  const { log, self } = state;
  const matchIndex = reachedByQuorum(log.config, (voter) =>
    voter === self ? log.lastIndex : (leader.progress.get(voter)?.matchIndex ?? 0),
  );
  if (matchIndex > state.commit && log.termAt(matchIndex) === state.term) {
    state.commitTo(matchIndex);
    replicate(state, leader, 'commit');
  }
  confirmReads(state, leader);
  if (isVoter(log.config, self)) return;
  if (hasCommittedInTerm(state) && log.configIndex <= state.commit) {
    state.becomeFollower(undefined);
  }
}
