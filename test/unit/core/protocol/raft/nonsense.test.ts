import { describe, expect, test } from 'vitest';
import { encodeConfig } from '../../../../../src/core/protocol/raft/config-codec.ts';
import type { RaftEntry, RaftMessageBody } from '../../../../../src/core/protocol/raft/types.ts';
import { command, configOf, key, ScriptedGroup } from './scripted-group.ts';

const append = {
  kind: 'append-request',
  previousIndex: 1,
  previousTerm: 1,
  entries: [] as RaftEntry[],
  commit: 1,
  round: 1,
} as const;
const piece = {
  kind: 'snapshot-request',
  index: 9,
  snapshotTerm: 1,
  config: configOf('ABC'),
  offset: 0,
  bytes: new Uint8Array(2),
  totalSize: 4,
  round: 1,
} as const;
const answer = {
  kind: 'append-response',
  isAccepted: true,
  matchIndex: 1,
  hintTerm: 0,
  round: 1,
} as const;
const vote = {
  kind: 'vote-request',
  isPreVote: false,
  isTransfer: true,
  lastIndex: 1,
  lastTerm: 1,
} as const;
const odd = 2 ** 53;
const noConfig = { index: 2, term: 1, kind: 'config', payload: new Uint8Array(3) } as const;
const emptyConfig = { ...noConfig, payload: encodeConfig(configOf('')) } as const;

/** A leads in term 1, B follows it; both hold one entry. */
function led(): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC'));
  group.elect('A');
  group.settle('A');
  group.effects.length = 0;
  return group;
}

const toFollower: [string, number, RaftMessageBody][] = [
  ['a term beyond what a number holds', odd, append],
  ['the last number as a term', odd - 1, append],
  ['a negative term', -1, append],
  ['a term that is not whole', 1.5, append],
  ['a leader in term 0', 0, append],
  ['a candidate in term 0', 0, vote],
  ['a negative index', 1, { ...append, previousIndex: -1 }],
  ['an index that is not whole', 1, { ...append, previousIndex: 0.5 }],
  ['an index beyond what a number holds', 1, { ...append, previousIndex: odd }],
  ['a term before the first entry', 1, { ...append, previousIndex: 0 }],
  ['a gap in the entries', 1, { ...append, entries: [command(2, 1), command(4, 1)] }],
  ['entries that do not follow', 1, { ...append, entries: [command(3, 1)] }],
  ['entries whose terms fall', 2, { ...append, entries: [command(2, 2), command(3, 1)] }],
  ['entries of a term after the sender', 1, { ...append, entries: [command(2, 2)] }],
  [
    'entries before the term of the last',
    3,
    { ...append, previousTerm: 2, entries: [command(2, 1)] },
  ],
  [
    'an entry that follows the last possible',
    1,
    { ...append, previousIndex: odd - 2, entries: [command(odd - 1, 1)] },
  ],
  [
    'an empty entry that is not empty',
    1,
    { ...append, entries: [{ ...command(2, 1), kind: 'noop' }] },
  ],
  [
    'an entry of an unknown kind',
    1,
    { ...append, entries: [{ ...command(2, 1), kind: 'odd' as 'noop' }] },
  ],
  ['a configuration that is none', 1, { ...append, entries: [noConfig] }],
  ['a configuration without voters', 1, { ...append, entries: [emptyConfig] }],
  ['another history before the commit', 2, { ...append, previousTerm: 2 }],
  [
    'another history within the commit',
    2,
    { ...append, previousIndex: 0, previousTerm: 0, entries: [command(1, 2)] },
  ],
  ['a snapshot of nothing', 1, { ...piece, index: 0 }],
  ['a snapshot of a later term', 1, { ...piece, snapshotTerm: 2 }],
  ['a snapshot that is larger than any', 1, { ...piece, totalSize: odd - 2 }],
  ['a piece that reaches beyond its snapshot', 1, { ...piece, offset: 3 }],
  ['a negative offset', 1, { ...piece, offset: -1 }],
  ['a snapshot without voters', 1, { ...piece, config: configOf('') }],
  ['a kind that is not known', 1, { kind: 'odd' } as never],
  ['a candidate with an impossible log', 9, { ...vote, lastIndex: -3 }],
];

describe('messages that make no sense change nothing', () => {
  test.each(toFollower)('%s', (_, term, body) => {
    const group = led();
    const before = group.raft('B').fingerprint();
    expect(group.tell('A', 'B', term, body).kind).toBe('invalid');
    expect(group.raft('B').fingerprint()).toBe(before);
    expect(group.effects).toEqual([]);
  });

  test.each<[string, string, number, RaftMessageBody]>([
    ['an answer of a stranger', 'Z', 1, answer],
    ['an answer of a stranger in a later term', 'Z', 9, answer],
    ['more than the leader has', 'B', 1, { ...answer, matchIndex: 2 }],
    ['a round that has not begun', 'B', 1, { ...answer, round: 10_000 }],
    [
      'an offset that is not whole',
      'B',
      1,
      { kind: 'snapshot-response', index: 1, nextOffset: 0.1, round: 1 },
    ],
    ['another leader in the same term', 'B', 1, append],
    ['itself', 'A', 1, append],
  ])('a leader does not hear %s', (_, from, term, body) => {
    const group = led();
    const before = group.raft('A').fingerprint();
    expect(group.tell(from, 'A', term, body).kind).toBe('invalid');
    expect(group.raft('A').fingerprint()).toBe(before);
    expect(group.effects).toEqual([]);
  });

  test('another leader in the term of a follower', () => {
    const group = led();
    const before = group.raft('B').fingerprint();
    expect(group.tell('C', 'B', 1, append).kind).toBe('invalid');
    expect(group.raft('B').fingerprint()).toBe(before);
  });

  test('what is meant for somebody else', () => {
    const group = led();
    const message = { from: key('A'), to: key('C'), generation: 1, term: 5, body: append };
    const before = group.raft('B').fingerprint();
    expect(group.step('B', { kind: 'message', message }).kind).toBe('invalid');
    expect(group.raft('B').fingerprint()).toBe(before);
  });

  test('a generation that is no number', () => {
    const group = led();
    const before = group.raft('B').fingerprint();
    for (const generation of [-1, 0.5, odd, Number.NaN]) {
      expect(group.tell('A', 'B', 1, append, generation).kind).toBe('invalid');
    }
    expect(group.raft('B').fingerprint()).toBe(before);
  });

  test('an answer with more of a snapshot than there is', () => {
    const group = led();
    group.propose('A');
    group.deliver();
    group.step('A', { kind: 'compact', index: 2, state: new Uint8Array(4) });
    group.join('B');
    group.settle('A', 1);
    group.tick('A', 2);
    group.deliver(({ body }) => body.kind !== 'snapshot-request');
    const body = { kind: 'snapshot-response', index: 2, nextOffset: 5, round: 1 } as const;
    expect(group.tell('B', 'A', 1, body).kind).toBe('invalid');
  });
});
