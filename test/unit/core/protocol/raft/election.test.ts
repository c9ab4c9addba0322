import { describe, expect, test } from 'vitest';
import { command, configOf, electionTicks, key, logOf, ScriptedGroup } from './scripted-group.ts';

const voteRequest = {
  kind: 'vote-request',
  isPreVote: false,
  isTransfer: false,
  lastIndex: 9,
  lastTerm: 9,
} as const;

describe('election', () => {
  test('a voter that hears of no leader becomes one by the votes of a quorum', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 1, leader: key('A') });
    expect(group.status('B')).toMatchObject({ role: 'follower', term: 1, leader: key('A') });
  });

  test('a leader opens its term with an empty entry', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    expect(group.disk('C').entries).toEqual([
      { index: 1, term: 1, kind: 'noop', payload: new Uint8Array(0) },
    ]);
    expect(group.status('A').commit).toBe(1);
  });

  test('a single voter elects itself and commits alone', () => {
    const group = new ScriptedGroup(configOf('A'));
    group.tick('A', electionTicks);
    expect(group.propose('A')).toEqual({ kind: 'ok', index: 2 });
    expect(group.status('A').commit).toBe(2);
  });

  test('term and vote are durable before anybody hears of them', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    const order = group.effects
      .filter(({ name }) => name === 'B')
      .map(({ effect }) => (effect.kind === 'send' ? effect.message.body.kind : effect.kind));
    expect(order.slice(0, 4)).toEqual(['vote-response', 'persist', 'vote-response', 'role']);
    expect(group.disk('B').hard).toEqual({ generation: 1, term: 1, votedFor: key('A') });
  });

  test('a vote survives a crash between persist and send', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.tell('A', 'C', 4, voteRequest);
    group.crash('C');
    group.restart('C');
    group.effects.length = 0;
    group.tell('B', 'C', 4, voteRequest);
    expect(group.sentBy('C', 'vote-response')).toMatchObject([{ isGranted: false }]);
    group.tell('A', 'C', 4, voteRequest);
    expect(group.sentBy('C', 'vote-response')).toMatchObject([{}, { isGranted: true }]);
  });

  test.each([
    ['of a later last term', { lastIndex: 1, lastTerm: 4 }, true],
    ['of the same last term and length', { lastIndex: 3, lastTerm: 3 }, true],
    ['that is shorter', { lastIndex: 2, lastTerm: 3 }, false],
    ['that is longer but of an earlier last term', { lastIndex: 9, lastTerm: 2 }, false],
  ])('a candidate with a log %s gets what it deserves', (_, last, isGranted) => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('B', logOf(1, 2, 3));
    group.tell('A', 'B', 5, { ...voteRequest, ...last });
    group.tell('A', 'B', 6, { ...voteRequest, ...last, isPreVote: true });
    expect(group.sentBy('B', 'vote-response').map((body) => body.isGranted)).toEqual([
      isGranted,
      isGranted,
    ]);
  });

  test('a member that hears nobody never raises its term, so its return disturbs nobody', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    for (const link of ['AC', 'BC', 'CA', 'CB']) group.cuts.add(link);
    group.tick('C', 10 * electionTicks);
    group.cuts.clear();
    group.settle('A');
    expect(group.status('C')).toMatchObject({ role: 'follower', term: 1, leader: key('A') });
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 1 });
  });

  test('who hears a leader does not hear a candidate, nor learn its term', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    group.effects.length = 0;
    for (const to of ['A', 'B']) group.tell('C', to, 7, voteRequest);
    expect(group.effects).toEqual([]);
    expect(group.status('B').term).toBe(1);
  });

  test('a leader that hands over is not protected against its own choice', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    group.tell('C', 'B', 7, { ...voteRequest, isTransfer: true });
    expect(group.disk('B').hard).toMatchObject({ term: 7, votedFor: key('C') });
  });

  test('a voter that has not heard of its leader for the shortest timeout votes again', () => {
    const group = new ScriptedGroup(configOf('ABC'), { electionTicksMax: 40 });
    group.tick('A', 40);
    group.deliver();
    group.tick('B', electionTicks - 1);
    group.tell('C', 'B', 7, voteRequest);
    expect(group.status('B').term).toBe(1);
    group.tick('B');
    group.tell('C', 'B', 7, voteRequest);
    expect(group.disk('B').hard).toMatchObject({ term: 7, votedFor: key('C') });
  });

  test('a leader that no quorum answers steps down within an election timeout', () => {
    const group = new ScriptedGroup(configOf('ABCDE'));
    group.elect('A');
    for (const other of 'CDE') group.cuts.add(`${other}A`);
    group.settle('A', electionTicks - 1);
    expect(group.status('A').role).toBe('leader');
    group.settle('A', 2);
    expect(group.status('A')).toMatchObject({ role: 'follower', leader: undefined, term: 1 });
  });

  test('a leader of an old term learns from its followers that it was replaced', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    for (const link of ['AB', 'AC', 'BA', 'CA']) group.cuts.add(link);
    group.tick('C', electionTicks);
    group.drop();
    group.elect('B');
    expect(group.status('B')).toMatchObject({ role: 'leader', term: 2 });
    group.cuts.clear();
    group.tick('A', 2);
    group.deliver(({ text }) => !text.startsWith('B>A'));
    expect(group.status('A')).toMatchObject({ role: 'follower', term: 2 });
  });

  test('each wait for a leader is drawn anew', () => {
    const group = new ScriptedGroup(configOf('ABC'), { electionTicksMax: 60 });
    const waits = Array.from({ length: 8 }, () => {
      group.effects.length = 0;
      for (let ticks = 1; ; ticks++) {
        group.tick('A');
        if (group.sentBy('A', 'vote-request').length > 0) return ticks;
      }
    });
    expect(new Set(waits).size).toBeGreaterThan(4);
    expect(waits.every((wait) => wait >= electionTicks && wait <= 60)).toBe(true);
  });

  test('an answer of an earlier candidacy does not count for this one', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('A', [], 3);
    group.tick('A', electionTicks);
    group.deliver(
      ({ body }) => body.kind.startsWith('vote') && 'isPreVote' in body && body.isPreVote,
    );
    expect(group.status('A')).toMatchObject({ role: 'candidate', term: 4 });
    const granted = { kind: 'vote-response', isPreVote: false, isGranted: true } as const;
    group.tell('B', 'A', 3, granted);
    expect(group.status('A').role).toBe('candidate');
    group.tell('B', 'A', 4, granted);
    expect(group.status('A').role).toBe('leader');
  });
});

describe('learners and members that left', () => {
  test('a learner never stands, and nobody asks it', () => {
    const group = new ScriptedGroup(configOf('ABC', 'D'));
    group.tick('D', 5 * electionTicks);
    expect(group.effects).toEqual([]);
    group.elect('A');
    expect(group.said()).not.toContain('A>D vote-request');
    expect(group.disk('D').lastIndex).toBe(1);
  });

  test('a learner does not count for a commit, nor for staying leader', () => {
    const group = new ScriptedGroup(configOf('ABC', 'DE'));
    group.elect('A');
    for (const link of ['BA', 'CA']) group.cuts.add(link);
    group.propose('A');
    group.deliver();
    expect(group.disk('D').lastIndex).toBe(2);
    expect(group.status('A').commit).toBe(1);
    group.settle('A', electionTicks + 1);
    expect(group.status('A').role).toBe('follower');
  });

  // Dissertation 4.1: "servers process incoming RPC requests without consulting their current configurations".
  test('a learner that was made a voter without knowing it votes for who counts it', () => {
    const group = new ScriptedGroup(configOf('ABC', 'D'));
    group.elect('A');
    group.cuts.add('AD').add('AC');
    group.step('A', { kind: 'configure', config: configOf('ABCD') });
    group.deliver();
    group.crash('A');
    group.tick('C', electionTicks);
    group.tick('D', electionTicks);
    group.drop();
    expect(group.status('D').config).toEqual(configOf('ABC', 'D'));
    group.elect('B');
    expect(group.status('B')).toMatchObject({ role: 'leader', config: configOf('ABCD') });
  });

  // Dissertation 4.2.2, figure 4.6.
  test('a leader whose removal is not committed may be needed once more, and then goes', () => {
    const group = new ScriptedGroup(configOf('AB'));
    group.elect('A');
    group.cuts.add('AB');
    group.step('A', { kind: 'configure', config: configOf('B') });
    group.crash('A');
    group.restart('A');
    group.cuts.clear();
    group.drop();
    group.elect('B');
    expect(group.status('B').role).not.toBe('leader');
    group.elect('A');
    expect(group.disk('B').entries.at(1)).toMatchObject({ index: 2, kind: 'config' });
    expect(group.status('A')).toMatchObject({ role: 'follower', config: configOf('B') });
    group.elect('B');
    expect(group.status('B')).toMatchObject({ role: 'leader', config: configOf('B') });
  });

  test('a removed member that does not know it disturbs nobody', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    group.cuts.add('AC');
    group.step('A', { kind: 'configure', config: configOf('AB') });
    group.deliver();
    group.cuts.clear();
    for (let i = 0; i < 4; i++) {
      group.tick('C', electionTicks);
      group.settle('A', 2);
    }
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 1 });
    // Also when the leader is gone: its log lacks what a quorum has committed.
    group.crash('A');
    group.tick('B', electionTicks);
    group.drop();
    group.tick('C', electionTicks);
    group.deliver();
    expect(group.status('C').role).toBe('pre-candidate');
    expect(group.status('B').term).toBe(1);
  });

  test('a member that is told of its removal does not even try', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    group.step('A', { kind: 'configure', config: configOf('AB') });
    group.deliver();
    // It learns of the commit from nobody; its log says enough once it is restarted with a snapshot of it.
    group.disk('C').write({
      snapshot: { index: 2, term: 1, config: configOf('AB'), state: new Uint8Array(0) },
    });
    group.restart('C');
    group.effects.length = 0;
    group.tick('C', 3 * electionTicks);
    expect(group.effects).toEqual([]);
  });

  test('a candidate that is no member here gets a vote: the log that makes it one may come later', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('B', [command(1, 1)]);
    group.tell('D', 'B', 2, voteRequest);
    expect(group.disk('B').hard).toMatchObject({ term: 2, votedFor: key('D') });
  });
});
