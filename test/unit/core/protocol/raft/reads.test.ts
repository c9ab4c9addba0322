import { describe, expect, test } from 'vitest';
import { configOf, electionTicks, key, ScriptedGroup } from './scripted-group.ts';

function led(): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC'));
  group.elect('A');
  group.settle('A');
  return group;
}

// Dissertation, section 6.4.
describe('reads', () => {
  test('a read is answered once a quorum has answered a round that began after it', () => {
    const group = led();
    expect(group.step('A', { kind: 'read', id: 7 })).toEqual({ kind: 'ok' });
    expect(group.did('A', 'readable')).toEqual([]);
    group.deliver();
    expect(group.did('A', 'readable')).toEqual([{ kind: 'readable', id: 7, index: 1 }]);
  });

  test('answers to an earlier round say nothing about a later read', () => {
    const group = led();
    group.tick('A', 2);
    group.deliver(({ body }) => body.kind === 'append-request');
    const early = [...group.messages];
    group.step('A', { kind: 'read', id: 7 });
    group.drop();
    for (const message of early) group.step('A', { kind: 'message', message });
    expect(early).toHaveLength(2);
    expect(group.did('A', 'readable')).toEqual([]);
    group.settle('A', 2);
    expect(group.did('A', 'readable')).toMatchObject([{ id: 7 }]);
  });

  test('a leader that was replaced without noticing answers no read', () => {
    const group = led();
    for (const link of ['AB', 'AC', 'BA', 'CA']) group.cuts.add(link);
    group.tick('C', electionTicks);
    group.drop();
    group.elect('B');
    group.propose('B');
    group.deliver();
    expect(group.status('B').commit).toBe(3);
    expect(group.status('A').role).toBe('leader');
    group.step('A', { kind: 'read', id: 7 });
    group.settle('A', electionTicks);
    expect(group.did('A', 'readable')).toEqual([]);
    expect(group.did('A', 'unreadable')).toEqual([{ kind: 'unreadable', id: 7 }]);
  });

  test('a new leader answers when an entry of its term is committed', () => {
    const group = new ScriptedGroup(configOf('ABC'), { messageBytesMax: 1 });
    group.elect('A');
    group.propose('A', 5);
    group.deliver(({ text, body }) => {
      const saysCommitted = body.kind === 'append-request' && body.commit === 2;
      return text !== 'A>B append-request' && !saysCommitted;
    });
    expect(group.status('A').commit).toBe(2);
    group.crash('A');
    group.drop();
    group.tick('B', electionTicks);
    group.drop();
    group.tick('C', electionTicks);
    group.deliver(({ body }) => body.kind.startsWith('vote'));
    group.step('C', { kind: 'read', id: 7 });
    // C holds the entry that A has committed, and does not know that it is.
    group.deliver(({ body }) => body.kind !== 'append-request' || body.entries.length === 0);
    expect(group.status('C')).toMatchObject({ role: 'leader', commit: 1 });
    expect(group.did('C', 'readable')).toEqual([]);
    group.settle('C');
    expect(group.did('C', 'readable')).toMatchObject([{ id: 7, index: 3 }]);
  });

  test('what a read may see is applied before it is answered', () => {
    const group = led();
    group.propose('A');
    group.step('A', { kind: 'read', id: 7 });
    group.effects.length = 0;
    group.deliver();
    const kinds = group.effects
      .filter(({ name, effect }) => name === 'A' && effect.kind !== 'send')
      .map(({ effect }) => effect.kind);
    expect(kinds).toEqual(['apply', 'readable']);
  });

  test('reads that come while others wait share one round', () => {
    const group = led();
    group.effects.length = 0;
    for (let id = 1; id <= 5; id++) group.step('A', { kind: 'read', id });
    group.deliver();
    expect(group.did('A', 'readable').map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(group.sentBy('A', 'append-request').map(({ round }) => round)).size).toBe(2);
  });

  test('a refused append confirms the leader as well', () => {
    const group = led();
    group.join('B');
    group.cuts.add('CA');
    group.propose('A');
    group.step('A', { kind: 'read', id: 7 });
    group.deliver(({ text }) => text.startsWith('A>B') || text.startsWith('B>A'));
    expect(group.sentBy('B', 'append-response').some(({ isAccepted }) => !isAccepted)).toBe(true);
    expect(group.did('A', 'readable')).toMatchObject([{ id: 7 }]);
  });

  test('a single voter confirms itself', () => {
    const group = new ScriptedGroup(configOf('A'));
    group.tick('A', electionTicks);
    group.step('A', { kind: 'read', id: 1 });
    expect(group.did('A', 'readable')).toEqual([{ kind: 'readable', id: 1, index: 1 }]);
  });

  test('a follower says who leads instead', () => {
    expect(led().step('B', { kind: 'read', id: 1 })).toEqual({
      kind: 'not-leader',
      leader: key('A'),
    });
  });
});
