import { expect, test } from 'vitest';
import { configOf, electionTicks, ScriptedGroup } from './scripted-group.ts';

const heartbeat = {
  kind: 'append-request',
  previousIndex: 0,
  previousTerm: 0,
  entries: [],
  commit: 0,
  round: 1,
} as const;

test('a message of a replaced generation is answered with that, and not heard', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  const before = group.raft('A').fingerprint();
  expect(group.tell('B', 'A', 9, heartbeat, 0).kind).toBe('invalid');
  expect(group.effects).toMatchObject([
    { effect: { kind: 'send', message: { generation: 1, body: { kind: 'fenced' } } } },
  ]);
  expect(group.raft('A').fingerprint()).toBe(before);
});

test('two that fence each other do not do so for ever', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.tell('B', 'A', 0, { kind: 'fenced' }, 0);
  expect(group.effects).toEqual([]);
});

test('a fence of the own generation says nothing', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  expect(group.tell('B', 'A', 0, { kind: 'fenced' }, 1).kind).toBe('invalid');
  expect(group.effects).toEqual([]);
});

test('a leader that hears of a newer generation stops for good, and says so once', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.elect('A');
  group.step('A', { kind: 'read', id: 3 });
  group.effects.length = 0;
  group.tell('B', 'A', 0, { kind: 'fenced' }, 2);
  expect(group.effects.map(({ effect }) => effect)).toMatchObject([
    { kind: 'unreadable', id: 3 },
    { kind: 'fenced', generation: 2 },
    { kind: 'role', status: { role: 'follower' } },
  ]);
  group.effects.length = 0;
  group.tell('B', 'A', 9, heartbeat, 2);
  group.tell('B', 'A', 9, heartbeat, 1);
  group.tick('A', 5 * electionTicks);
  expect(group.propose('A').kind).toBe('invalid');
  expect(group.step('A', { kind: 'compact', index: 1, state: new Uint8Array(0) }).kind).toBe(
    'invalid',
  );
  expect(group.effects).toEqual([]);
});

test('any message of a newer generation fences a voter, which then votes no more', () => {
  const group = new ScriptedGroup(configOf('ABC'));
  group.tell('C', 'B', 9, heartbeat, 2);
  const request = { lastIndex: 9, lastTerm: 9, isPreVote: false, isTransfer: true };
  group.tell('A', 'B', 9, { kind: 'vote-request', ...request });
  expect(group.sentBy('B', 'vote-response')).toEqual([]);
  expect(group.disk('B').hard).toEqual({ generation: 1, term: 0, votedFor: undefined });
});
