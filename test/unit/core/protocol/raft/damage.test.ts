import { expect, test } from 'vitest';
import { command, configOf, electionTicks, logOf, ScriptedGroup } from './scripted-group.ts';

const voteRequest = {
  kind: 'vote-request',
  isPreVote: false,
  isTransfer: true,
  lastIndex: 9,
  lastTerm: 9,
} as const;

/** B acknowledged five entries, of which the last three cannot be read. */
function damaged(): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC'));
  for (const name of 'AC') group.join(name, logOf(1, 1, 1, 1, 1));
  group.join('B', logOf(1, 1));
  group.crash('B');
  group.restart('B', { lostUpTo: 5 });
  return group;
}

test('a voter that lost entries neither votes nor stands, and does not refuse either', () => {
  const group = damaged();
  group.tell('A', 'B', 7, voteRequest);
  group.tell('A', 'B', 7, { ...voteRequest, isPreVote: true });
  group.tick('B', 5 * electionTicks);
  expect(group.effects).toEqual([]);
  expect(group.disk('B').hard.term).toBe(1);
  expect(group.status('B').lostUpTo).toBe(5);
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
  const group = damaged();
  const body = {
    kind: 'append-request',
    previousIndex: 2,
    previousTerm: 1,
    commit: 3,
    round: 1,
  } as const;
  group.tell('A', 'B', 2, { ...body, entries: [command(3, 2), command(4, 2)] });
  group.tell('C', 'B', 3, voteRequest);
  expect(group.sentBy('B', 'vote-response')).toEqual([]);
  expect(group.status('B')).toMatchObject({ lostUpTo: 5, lastIndex: 4, commit: 3 });
  group.tell('A', 'B', 2, { ...body, previousIndex: 4, previousTerm: 2, entries: [command(5, 2)] });
  expect(group.status('B').lostUpTo).toBeUndefined();
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
