import { mutant, oneFewer, patch, type RaftMutant, reachedBy } from './mutant.ts';

export const logs: readonly RaftMutant[] = [
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
    400,
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

export const reads: readonly RaftMutant[] = [
  mutant(
    'answers reads without asking whether it still leads',
    100,
    patch('reads.ts', '{ id, round: leader.round + 1 }', '{ id, round: 0 }'),
  ),
  mutant(
    'answers reads after a round that began before',
    6000,
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

export const snapshots: readonly RaftMutant[] = [
  mutant(
    'drops what follows a snapshot of its own',
    20,
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
    30,
    patch('following.ts', 'if (index <= state.commit) {', 'if (false) {'),
  ),
  mutant(
    'takes snapshots without their configuration',
    100,
    patch('log.ts', 'config: config ?? this.#snapshot.config', 'config: this.#snapshot.config'),
  ),
  mutant(
    'takes snapshots with a configuration that is not committed',
    2500,
    patch(
      'log.ts',
      'this.#configs.findLast((one) => one.index <= index)?.config',
      'this.#configs.at(-1)?.config',
    ),
  ),
  mutant(
    'votes for a log that may lack what its damaged journal had',
    1000,
    patch(
      'state.ts',
      'reaches(last, this.log.last) && (this.#lost === undefined || reaches(last, this.#lost))',
      'reaches(last, this.log.last)',
    ),
  ),
  mutant(
    'knows how long its damaged journal was, and not of which term',
    5000,
    patch('state.ts', 'reaches(last, this.#lost)', 'last.index >= this.#lost.index'),
  ),
  mutant(
    'takes an unknown term for an early one',
    100,
    patch('state.ts', 'lostTerm ?? hard.term', 'lostTerm ?? 0'),
  ),
  mutant(
    'stands although its journal was damaged',
    50,
    patch('election.ts', 'if (lostUpTo !== undefined) return false;', ''),
  ),
  mutant(
    'takes its damaged journal for whole too early',
    50,
    patch('state.ts', 'last.index >= this.#lost.index ||', 'last.index < this.#lost.index ||'),
  ),
];
