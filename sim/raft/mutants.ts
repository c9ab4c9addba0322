import type { Patch } from './mutants-build.ts';

/** A deliberate bug: what the simulator is there to find. */
export type RaftMutant = {
  /** What it does wrong; continues "a member that". */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** So many seeds are enough to find it: three times what the worst of four starts needed. */
  readonly seedsMax: number;
};

/** In `file` below the folder of Raft. */
function patch(file: string, old: string, replacement: string): Patch {
  return { file: `core/protocol/raft/${file}`, old, new: replacement };
}

function mutant(name: string, seedsMax: number, ...patches: readonly Patch[]): RaftMutant {
  return { name, seedsMax, patches };
}

/** What the member with this rank has reached, and so what that many have: in the place of a quorum's. */
const reachedBy = (members: string, rank: string): string =>
  `((config, reached) => ${members}.map(reached).sort((a, b) => b - a)[${rank}] ?? 0)(`;

const oneFewer = reachedBy(
  'config.voters',
  'Math.max(0, Math.floor(config.voters.length / 2) - 1)',
);

const elections: readonly RaftMutant[] = [
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
      'const isUpToDate = state.log.isUpToDate({ index: body.lastIndex, term: body.lastTerm });',
      'const isUpToDate = true;',
    ),
  ),
  mutant(
    'judges the logs of candidates by their length alone',
    200,
    patch(
      'log.ts',
      'return other.term > term || (other.term === term && other.index >= index);',
      'return other.index >= index;',
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

const logs: readonly RaftMutant[] = [
  mutant(
    'commits what one voter fewer than a quorum holds',
    50,
    patch('commitment.ts', 'reachedByQuorum(', oneFewer),
  ),
  mutant(
    'counts learners for a commit',
    5000,
    patch(
      'commitment.ts',
      'reachedByQuorum(',
      reachedBy('[...config.voters, ...config.learners]', 'Math.floor(config.voters.length / 2)'),
    ),
  ),
  mutant(
    'commits an entry of an earlier term by counting',
    200,
    patch('commitment.ts', ' && log.termAt(matchIndex) === state.term', ''),
  ),
  mutant(
    "cuts off entries that match its leader's",
    2000,
    patch(
      'following.ts',
      'entries.findIndex((entry) => !state.log.has(entry))',
      'entries.findIndex((entry) => !state.log.has(entry) || entry.index > state.commit)',
    ),
  ),
  mutant(
    "keeps entries that contradict its leader's",
    50,
    patch('following.ts', 'else state.replaceFrom(first.index, added);', ''),
  ),
  mutant(
    'appends after an entry of another term',
    50,
    patch(
      'following.ts',
      '!state.log.has({ index: body.previousIndex, term: body.previousTerm })',
      'body.previousIndex > state.log.lastIndex',
    ),
  ),
  mutant(
    'commits own entries that its leader has not compared',
    50,
    patch(
      'following.ts',
      'state.commitTo(Math.min(body.commit, matchIndex));',
      'state.commitTo(Math.min(body.commit, state.log.lastIndex));',
    ),
  ),
  mutant(
    'acknowledges own entries that its leader has not compared',
    200,
    patch(
      'following.ts',
      'accept(state, message.from, { matchIndex, round });',
      'accept(state, message.from, { matchIndex: state.log.lastIndex, round });',
    ),
  ),
  mutant(
    'counts acknowledgements of an earlier term',
    5000,
    patch('raft.ts', "role.kind !== 'leader' || term < state.term", "role.kind !== 'leader'"),
    patch('answers.ts', 'progress === undefined || round > leader.round', 'progress === undefined'),
  ),
  mutant(
    'never repeats what was lost on the way',
    20,
    patch('replication.ts', " || occasion === 'heartbeat'", ''),
  ),
  mutant(
    'sends before it has written',
    10,
    patch(
      'outbox.ts',
      'const effects = [...persist, ...this.#effects];',
      'const effects = [...this.#effects, ...persist];',
    ),
  ),
];

const reads: readonly RaftMutant[] = [
  mutant(
    'answers reads without asking whether it still leads',
    100,
    patch('reads.ts', '{ id, round: leader.round + 1 }', '{ id, round: 0 }'),
  ),
  mutant(
    'answers reads after a round that began before',
    5000,
    patch('reads.ts', '{ id, round: leader.round + 1 }', '{ id, round: leader.round }'),
    patch('reads.ts', 'if (isIdle) beginRound(state, leader);', ''),
  ),
  mutant(
    'answers reads after the word of one voter fewer than a quorum',
    200,
    patch('reads.ts', 'return reachedByQuorum(', `return ${oneFewer}`),
  ),
  mutant(
    'answers reads before it knows what was committed before its term',
    50,
    patch('reads.ts', ' || !hasCommittedInTerm(state)', ''),
  ),
  mutant(
    'opens no term, and answers reads all the same',
    50,
    patch('leadership.ts', "appendOne(state, 'noop', new Uint8Array(0));", ''),
    patch('reads.ts', 'return state.log.termAt(state.commit) === state.term;', 'return true;'),
  ),
];

const changes: readonly RaftMutant[] = [
  mutant(
    'changes the voters before it has committed in its term',
    500,
    patch('leadership.ts', ' || !hasCommittedInTerm(state)', ''),
  ),
  mutant(
    'begins a second change before the first is committed',
    50,
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
    1000,
    patch('log.ts', 'while ((this.#configs.at(-1)?.index ?? 0) >= index) this.#configs.pop();', ''),
  ),
];

const snapshots: readonly RaftMutant[] = [
  mutant(
    'drops what follows a snapshot of its own',
    10,
    patch(
      'log.ts',
      'this.#entries = this.#entries.slice(index - this.#snapshot.index);',
      'this.#entries = [];',
    ),
  ),
  mutant(
    "drops what follows a leader's snapshot",
    500,
    patch(
      'following.ts',
      'if (state.log.has({ index, term: body.snapshotTerm })) {',
      'if (false) {',
    ),
  ),
  mutant(
    'goes back to an older snapshot',
    20,
    patch('following.ts', 'if (index <= state.commit) {', 'if (false) {'),
  ),
  mutant(
    'takes snapshots without their configuration',
    100,
    patch('log.ts', 'config: config ?? this.#snapshot.config', 'config: this.#snapshot.config'),
  ),
  mutant(
    'takes snapshots with a configuration that is not committed',
    2000,
    patch(
      'log.ts',
      'this.#configs.findLast((one) => one.index <= index)?.config',
      'this.#configs.at(-1)?.config',
    ),
  ),
  mutant(
    'votes although its journal was damaged',
    50,
    patch('election.ts', 'if (state.lostUpTo !== undefined) return;', ''),
  ),
  mutant(
    'stands although its journal was damaged',
    50,
    patch('election.ts', 'if (lostUpTo !== undefined) return false;', ''),
  ),
  mutant(
    'takes its damaged journal for whole too early',
    50,
    patch('state.ts', ' && index >= this.#lostUpTo) this', ') this'),
  ),
];

export const raftMutants: readonly RaftMutant[] = [
  ...elections,
  ...logs,
  ...reads,
  ...changes,
  ...snapshots,
];
