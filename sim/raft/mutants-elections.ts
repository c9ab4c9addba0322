import { mutant, patch, type RaftMutant, reachedBy } from './mutant.ts';

export const elections: readonly RaftMutant[] = [
  mutant(
    'forgets its vote in a crash',
    10,
    patch(
      'state.ts',
      'this.#saveHard({ ...this.#hard, votedFor });',
      'this.#hard = { ...this.#hard, votedFor };',
    ),
  ),
  mutant(
    'forgets its term in a crash',
    10,
    patch(
      'state.ts',
      'this.#saveHard({ ...this.#hard, term, votedFor });',
      'this.#hard = { ...this.#hard, term, votedFor };',
    ),
  ),
  mutant(
    'votes twice in a term',
    10,
    patch('election.ts', ' && (votedFor === undefined || votedFor === candidate)', ''),
    patch('state.ts', "assert(this.#hard.votedFor === undefined, 'one vote a term');", ''),
  ),
  mutant(
    'leads with one vote fewer than a quorum',
    20,
    patch(
      'election.ts',
      'role.granted.size < quorumOf(config)',
      'role.granted.size < quorumOf(config) - 1',
    ),
  ),
  mutant(
    'takes half of the voters for a quorum',
    50,
    patch(
      'membership.ts',
      'Math.floor(config.voters.length / 2) + 1',
      'Math.ceil(config.voters.length / 2)',
    ),
  ),
  mutant(
    'votes for candidates whose log is older',
    20,
    patch(
      'election.ts',
      'const isUpToDate = state.mayElect({ index: body.lastIndex, term: body.lastTerm });',
      'const isUpToDate = true;',
    ),
  ),
  mutant(
    'judges the logs of candidates by their length alone',
    200,
    patch(
      'log.ts',
      'return one.term > other.term || (one.term === other.term && one.index >= other.index);',
      'return one.index >= other.index;',
    ),
  ),
  mutant(
    'counts votes of an earlier term',
    5000,
    patch('election.ts', 'if (!body.isPreVote && term < state.term) return;', ''),
  ),
  mutant(
    'asks learners for their vote, and counts it',
    1000,
    patch(
      'election.ts',
      'const voter of state.log.config.voters',
      'const voter of [...state.log.config.voters, ...state.log.config.learners]',
    ),
    patch('election.ts', 'if (!isVoter(config, from)) return;', ''),
  ),
  mutant(
    'counts the vote of a voter that was removed',
    5000,
    patch(
      'election.ts',
      'const voter of state.log.config.voters',
      'const voter of new Set([...state.log.config.voters, ...state.log.previousConfig.voters])',
    ),
    patch('election.ts', 'if (!isVoter(config, from)) return;', ''),
  ),
  mutant(
    'does not follow a candidate into its term',
    10,
    patch('election.ts', 'if (!body.isPreVote && term > state.term) state.enterTerm(term);', ''),
  ),
  mutant(
    'helps to unseat a leader that it hears',
    20,
    patch('election.ts', 'if (state.hasLeader && !body.isTransfer) return;', ''),
  ),
  mutant(
    'grants a pre-vote while it hears a leader',
    20,
    patch(
      'election.ts',
      'if (state.hasLeader && !body.isTransfer) return;',
      'if (state.hasLeader && !body.isTransfer && !body.isPreVote) return;',
    ),
  ),
  mutant(
    'stands without asking whether it would win',
    20,
    patch(
      'election.ts',
      "state.role = { kind: 'pre-candidate', granted: new Set() };",
      'if (true) return stand(state, { isTransfer: false });',
    ),
  ),
  mutant(
    'leads on although it hears nobody',
    10,
    patch('leadership.ts', 'if (!hasQuorum(state, leader)) {', 'if (false) {'),
  ),
];

/** What a leader does that is no voter. */
export const guests: readonly RaftMutant[] = [
  mutant(
    'never stands as a learner, whatever it holds',
    200,
    patch('election.ts', ' || hasRefusedOlder', ''),
  ),
  mutant(
    'votes for itself without being a voter',
    2000,
    patch('election.ts', '!isVoter(config, from)', '!isVoter(config, from) && from !== state.self'),
  ),
  mutant(
    'counts itself for a commit without being a voter',
    1500,
    patch(
      'commitment.ts',
      'reachedByQuorum(',
      reachedBy('[...new Set([...config.voters, self])]', 'Math.floor(config.voters.length / 2)'),
    ),
  ),
  mutant(
    'goes before it has committed what it was needed for',
    1000,
    patch('commitment.ts', 'hasCommittedInTerm(state) && ', ''),
  ),
  mutant(
    'leads on although it is no voter',
    4500,
    patch(
      'commitment.ts',
      'if (hasCommittedInTerm(state)',
      'if (false && hasCommittedInTerm(state)',
    ),
  ),
];

export const changes: readonly RaftMutant[] = [
  mutant(
    'changes the voters before it has committed in its term',
    500,
    patch('leadership.ts', ' || !hasCommittedInTerm(state)', ''),
  ),
  mutant(
    'begins a second change before the first is committed',
    150,
    patch(
      'leadership.ts',
      "if (state.log.configIndex > state.commit) return { kind: 'change-pending' };",
      '',
    ),
  ),
  mutant(
    'changes two voters at once',
    1000,
    patch('membership.ts', 'if (voters > 1) return', 'if (voters > 2) return'),
  ),
  mutant(
    'goes on with a configuration that was cut off',
    2500,
    patch('log.ts', 'while ((this.#configs.at(-1)?.index ?? 0) >= index) this.#configs.pop();', ''),
  ),
];
