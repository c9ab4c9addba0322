import { expect, test } from 'vitest';
import { encodeConfig } from '../../../../../src/core/protocol/raft/config-codec.ts';
import { command, configOf, electionTicks, logOf, ScriptedGroup } from './scripted-group.ts';

const voteRequest = {
  kind: 'vote-request',
  isPreVote: false,
  isTransfer: true,
  lastIndex: 9,
  lastTerm: 9,
} as const;

/** B acknowledged five entries, of which the last three cannot be read. */
function damaged({ term = 1 } = {}): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC'));
  for (const name of 'AC') group.join(name, logOf(1, 1, 1, 1, 1));
  group.join('B', logOf(1, 1), term);
  group.crash('B');
  group.restart('B', { lostUpTo: 5 });
  return group;
}

test('a voter that lost entries does not stand, and votes for no log that may lack them', () => {
  const group = damaged();
  group.tick('B', 5 * electionTicks);
  expect(group.effects).toEqual([]);
  group.tell('A', 'B', 7, { ...voteRequest, lastIndex: 4, lastTerm: 1 });
  group.tell('A', 'B', 7, { ...voteRequest, lastIndex: 4, lastTerm: 1, isPreVote: true });
  expect(group.sentBy('B', 'vote-response').map(({ isGranted }) => isGranted)).toEqual([
    false,
    false,
  ]);
  expect(group.status('B').lostUpTo).toBe(5);
  group.tick('B', 5 * electionTicks);
  expect(group.sentBy('B', 'vote-request')).toEqual([]);
});

test.each([
  ['as long', { lastIndex: 5, lastTerm: 1 }, true],
  ['of a later term', { lastIndex: 3, lastTerm: 2 }, true],
  ['shorter', { lastIndex: 4, lastTerm: 1 }, false],
])('it votes for a candidate whose log is %s: %o', (_, last, isGranted) => {
  const group = damaged();
  group.tell('A', 'B', 7, { ...voteRequest, ...last });
  expect(group.sentBy('B', 'vote-response')).toMatchObject([{ isGranted }]);
});

test('entries that it does not know the term of may be of any term up to its own', () => {
  const group = damaged({ term: 6 });
  group.tell('A', 'B', 7, { ...voteRequest, lastIndex: 9, lastTerm: 5 });
  expect(group.sentBy('B', 'vote-response')).toMatchObject([{ isGranted: false }]);
  group.crash('B');
  group.restart('B', { lostUpTo: 5, lostTerm: 5 });
  group.tell('A', 'B', 7, { ...voteRequest, lastIndex: 9, lastTerm: 5 });
  expect(group.sentBy('B', 'vote-response').at(-1)).toMatchObject({ isGranted: true });
});

test('it votes again when a leader has brought its log as far as it was', () => {
  const group = damaged();
  group.elect('A');
  group.settle('A');
  expect(group.disk('B').lastIndex).toBe(6);
  expect(group.status('B').lostUpTo).toBeUndefined();
  group.tell('C', 'B', 7, voteRequest);
  expect(group.sentBy('B', 'vote-response').at(-1)).toMatchObject({ isGranted: true });
});

test('it goes on waiting while the log of the leader is shorter than its own was', () => {
  const group = damaged({ term: 2 });
  const body = {
    kind: 'append-request',
    previousIndex: 2,
    previousTerm: 1,
    commit: 3,
    round: 1,
  } as const;
  group.tell('A', 'B', 2, { ...body, entries: [command(3, 2), command(4, 2)] });
  group.tell('C', 'B', 3, { ...voteRequest, lastIndex: 4, lastTerm: 2 });
  expect(group.sentBy('B', 'vote-response')).toMatchObject([{ isGranted: false }]);
  expect(group.status('B')).toMatchObject({ lostUpTo: 5, lastIndex: 4, commit: 3 });
  group.tell('A', 'B', 3, { ...body, previousIndex: 4, previousTerm: 2, entries: [command(5, 2)] });
  expect(group.status('B').lostUpTo).toBeUndefined();
});

// The leader of term 2 held whatever B had helped to commit before, and B's log is its log up to here.
test('a shorter log that ends in a later term makes it whole again', () => {
  const group = damaged();
  const body = { kind: 'append-request', previousIndex: 2, previousTerm: 1 } as const;
  group.tell('A', 'B', 2, { ...body, commit: 2, round: 1, entries: [command(3, 2)] });
  expect(group.status('B')).toMatchObject({ lostUpTo: undefined, lastIndex: 3 });
});

test('it acknowledges what it holds, and no more', () => {
  const group = damaged();
  group.elect('A');
  const [refusal] = group.sentBy('B', 'append-response');
  expect(refusal).toMatchObject({ isAccepted: false, matchIndex: 2 });
});

test('a snapshot that reaches as far makes it whole again', () => {
  const group = damaged();
  group.tell('A', 'B', 2, {
    kind: 'snapshot-request',
    index: 5,
    snapshotTerm: 1,
    config: configOf('ABC'),
    offset: 0,
    bytes: new Uint8Array(1),
    totalSize: 1,
    round: 1,
  });
  expect(group.status('B').lostUpTo).toBeUndefined();
});

// What would go wrong: A and B have committed index 2, B loses it, A dies; C and B would elect C without it.
test('what it helped to commit is not lost by its damage', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.cuts.add('AC');
  for (const name of 'AB') group.join(name, logOf(1, 1));
  group.join('C', logOf(1), 1);
  group.tick('A', electionTicks);
  group.deliver();
  expect(group.status('A')).toMatchObject({ role: 'leader', commit: 3 });
  group.crash('A');
  group.crash('B');
  group.disk('B').damage(2);
  group.restart('B', { lostUpTo: 3 });
  group.drop();
  for (let i = 0; i < 5; i++) {
    group.elect('C');
    group.tick('B', electionTicks);
  }
  expect(group.status('C').role).not.toBe('leader');
  group.cuts.clear();
  group.restart('A');
  group.elect('A');
  group.settle('A');
  expect(group.terms('C').slice(0, 3)).toEqual([1, 1, 2]);
  expect(group.status('B').lostUpTo).toBeUndefined();
});

// The leader still believes that B holds what it once acknowledged.
test('a leader sends again what a damaged follower once acknowledged', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.elect('A');
  for (let i = 0; i < 4; i++) group.propose('A');
  group.deliver();
  expect(group.disk('B').lastIndex).toBe(5);
  group.crash('B');
  group.disk('B').damage(2);
  group.restart('B', { lostUpTo: 5 });
  group.settle('A', 4);
  expect(group.disk('B').lastIndex).toBe(5);
  expect(group.status('B')).toMatchObject({ lostUpTo: undefined, commit: 5 });
});

test('a loss that a snapshot covers is none', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.disk('B').write({
    snapshot: { index: 5, term: 1, config: configOf('ABC'), state: new Uint8Array(0) },
  });
  group.crash('B');
  group.restart('B', { lostUpTo: 5 });
  expect(group.status('B').lostUpTo).toBeUndefined();
});

// Found by the swarm. A, C and E vote. C was about to make B a voter, then E led for a moment and reached B alone.
test('a learner with the newest log leads once more when a voter of that leader is damaged', () => {
  const group = new ScriptedGroup(configOf('ACE', 'B'));
  const more = {
    index: 3,
    term: 1,
    kind: 'config',
    payload: encodeConfig(configOf('ABCE')),
  } as const;
  group.join('A', logOf(1), 2);
  group.join('B', [...logOf(1, 1), command(3, 2)]);
  group.join('C', [...logOf(1, 1), more, command(4, 1)], 2);
  group.join('E', logOf(1), 2);
  group.crash('E');
  group.restart('E', { lostUpTo: 3, lostTerm: 2 });
  for (const name of 'CAC') group.elect(name);
  expect(['A', 'C'].map((name) => group.status(name).role)).not.toContain('leader');
  group.elect('B');
  expect(group.terms('C')).toEqual([1, 1, 2, 3]);
  // It counted two of three without itself, and goes: a voter takes over, with its log.
  expect(group.status('B')).toMatchObject({ role: 'follower', commit: 4 });
  for (const name of 'AC') group.elect(name);
  group.settle('C');
  expect(group.status('C')).toMatchObject({ role: 'leader', config: configOf('ACE', 'B') });
  expect(group.status('E').lostUpTo).toBeUndefined();
});

test('a second voter whose journal is damaged still elects the first, which has made it one', () => {
  const group = new ScriptedGroup(configOf('A', 'B'));
  group.elect('A');
  group.propose('A');
  group.settle('A');
  group.cuts.add('AB');
  group.step('A', { kind: 'configure', config: configOf('AB') });
  group.crash('A');
  group.crash('B');
  group.disk('B').damage(2);
  group.restart('A');
  group.restart('B', { lostUpTo: 2, lostTerm: 1 });
  group.cuts.clear();
  group.elect('A');
  group.settle('A', 4);
  expect(group.status('A')).toMatchObject({ role: 'leader', config: configOf('AB'), commit: 4 });
  expect(group.status('B')).toMatchObject({ lostUpTo: undefined, commit: 4 });
});
