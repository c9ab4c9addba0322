import { describe, expect, test } from 'vitest';
import { nameOf } from '../../../../../sim/raft/names.ts';
import { Draw } from '../../../../../src/core/protocol/raft/draw.ts';
import { command, configOf, electionTicks, key, logOf, ScriptedGroup } from './scripted-group.ts';

/** A leads with an open window, B and C follow, and nothing is on its way. */
function settledGroup(settings = {}): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC'), settings);
  group.elect('A');
  group.settle('A');
  group.effects.length = 0;
  return group;
}

describe('replication', () => {
  test.each([
    ['a: lacks the last entry', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b: lacks many entries', [1, 1, 1, 4]],
    ['c: has one too many', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d: has entries of a later term too many', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e: lacks some and has wrong ones', [1, 1, 1, 4, 4, 4, 4]],
    ['f: has wrong entries of two terms', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('every follower of figure 7 comes to the log of its leader (%s)', (_, terms) => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('A', logOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6), 7);
    group.join('C', logOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6), 7);
    group.join('B', logOf(...terms), 7);
    group.elect('A');
    group.settle('A');
    expect(group.terms('B')).toEqual([1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8]);
    expect(group.status('B').commit).toBe(11);
  });

  // Raft, section 5.4.2, figure 8.
  test('an entry of an earlier term on a majority is not committed by counting', () => {
    const group = new ScriptedGroup(configOf('ABCDE'), { messageBytesMax: 1 });
    group.join('A', logOf(1, 2), 3);
    group.join('B', logOf(1, 2), 2);
    for (const name of 'CD') group.join(name, logOf(1), 2);
    group.join('E', logOf(1, 3), 3);
    group.crash('E');
    // (c): A leads in term 4 and brings its entry of term 2 to a majority, but nothing of its own term.
    group.tick('A', electionTicks);
    group.deliver(({ to, body }) => {
      if (body.kind !== 'append-request' || body.entries.every(({ term }) => term < 4)) return true;
      // What is refused may pass.
      return group.disk(nameOf(to)).lastIndex < body.previousIndex;
    });
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 4 });
    expect(['A', 'B', 'C', 'D'].map((name) => group.terms(name)[1])).toEqual([2, 2, 2, 2]);
    expect(group.status('A').commit).toBe(0);
    // (d): so E may still win and replace it.
    group.crash('A');
    group.drop();
    group.restart('E');
    for (const name of 'BCD') group.tick(name, electionTicks);
    group.drop();
    group.tick('E', electionTicks);
    group.deliver();
    group.tick('E', electionTicks);
    group.deliver();
    expect(group.status('E').role).toBe('leader');
    group.settle('E');
    expect(group.terms('B').slice(0, 2)).toEqual([1, 3]);
  });

  test('an entry of the own term commits those before it', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    for (const name of 'ABC') group.join(name, logOf(1, 1, 1));
    group.elect('A');
    expect(group.status('A').commit).toBe(4);
    expect(
      group.did('A', 'apply').flatMap(({ entries }) => entries.map(({ index }) => index)),
    ).toEqual([1, 2, 3, 4]);
  });

  test('a batch keeps to the bytes of one message, but carries one entry at least', () => {
    const group = settledGroup({ messageBytesMax: 10 });
    group.cuts.add('BA').add('CA');
    for (const size of [4, 4, 4, 50, 1]) group.propose('A', size);
    group.settle('A', 2);
    group.cuts.clear();
    group.effects.length = 0;
    group.join('B', logOf());
    group.settle('A', 6);
    const sizes = group
      .sentBy('A', 'append-request')
      .filter(({ previousIndex }) => previousIndex === 0)
      .map(({ entries }) => entries.map(({ payload }) => payload.length));
    expect(sizes.at(-1)).toEqual([0, 4, 4]);
    expect(group.disk('B').lastIndex).toBe(6);
  });

  test('no more entries are under way than the window holds', () => {
    const group = settledGroup({ entriesInFlightMax: 3 });
    for (let i = 0; i < 10; i++) group.propose('A');
    expect(group.sentBy('A', 'append-request').flatMap(({ entries }) => entries)).toHaveLength(6);
    group.deliver();
    expect(group.status('A').commit).toBe(11);
    expect(group.disk('C').lastIndex).toBe(11);
  });

  test('entries follow one another without waiting for answers', () => {
    const group = settledGroup();
    group.propose('A');
    group.propose('A');
    expect(group.messages.map(({ text }) => text)).toEqual([
      'A>B append-request',
      'A>C append-request',
      'A>B append-request',
      'A>C append-request',
    ]);
    group.deliver();
    expect(group.status('A').commit).toBe(3);
  });

  test('messages that pass each other cost a refusal, not an entry', () => {
    const group = settledGroup();
    group.propose('A');
    group.propose('A');
    group.messages.reverse();
    group.deliver();
    expect(group.disk('B').lastIndex).toBe(3);
    expect(group.status('A').commit).toBe(3);
  });

  test('what was lost is sent again with the next heartbeat', () => {
    const group = settledGroup();
    group.propose('A');
    group.drop();
    group.settle('A', 2);
    expect(group.disk('B').lastIndex).toBe(2);
    expect(group.status('A').commit).toBe(2);
  });

  test('an answer of an earlier term of the same leader does not count', () => {
    const group = settledGroup();
    for (const name of 'BC') group.crash(name);
    group.propose('A');
    group.tick('A', electionTicks);
    for (const name of 'BC') group.restart(name);
    group.drop();
    group.tick('A', electionTicks);
    group.deliver(({ body }) => body.kind.startsWith('vote'));
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 2, lastIndex: 3 });
    const answer = { kind: 'append-response', isAccepted: true, hintTerm: 0, round: 1 } as const;
    group.tell('B', 'A', 1, { ...answer, matchIndex: 3 });
    expect(group.status('A').commit).toBe(1);
    group.tell('B', 'A', 2, { ...answer, matchIndex: 3 });
    expect(group.status('A').commit).toBe(3);
  });

  test('a refusal leads back over whole terms', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const wrong = Array.from({ length: 40 }, () => 2);
    const right = Array.from({ length: 40 }, () => 3);
    group.join('A', logOf(1, ...right), 4);
    group.join('C', logOf(1, ...right), 4);
    group.join('B', logOf(1, ...wrong), 4);
    group.elect('A');
    group.settle('A');
    const refusals = group.sentBy('B', 'append-response').filter(({ isAccepted }) => !isAccepted);
    expect(refusals).toHaveLength(1);
    expect(group.terms('B')).toEqual(group.terms('A'));
  });

  test('a member that is silent gets bare heartbeats until it answers', () => {
    const group = settledGroup();
    group.crash('C');
    group.propose('A', 500);
    group.settle('A', electionTicks + 2);
    group.effects.length = 0;
    group.propose('A', 500);
    group.settle('A', 4);
    const toC = group.effects.flatMap(({ effect }) =>
      effect.kind === 'send' && effect.message.to.startsWith('02') ? [effect.message.body] : [],
    );
    expect(toC.length).toBeGreaterThan(0);
    expect(toC.every((body) => body.kind === 'append-request' && body.entries.length === 0)).toBe(
      true,
    );
    group.restart('C');
    group.settle('A', 4);
    expect(group.disk('C').lastIndex).toBe(3);
  });

  test('an entry is durable before it is acknowledged, and before it is applied', () => {
    const group = settledGroup();
    group.propose('A');
    group.deliver();
    const orderOf = (name: string) =>
      group.effects
        .filter((one) => one.name === name)
        .map(({ effect }) => (effect.kind === 'send' ? effect.message.body.kind : effect.kind));
    expect(orderOf('B')).toEqual(['persist', 'append-response', 'apply', 'append-response']);
    expect(orderOf('A').slice(0, 4)).toEqual([
      'persist',
      'append-request',
      'append-request',
      'apply',
    ]);
  });

  test('an old append does not cut off what came after it', () => {
    const group = settledGroup();
    group.cuts.add('BA').add('CA');
    group.propose('A');
    const old = group.messages.find(({ text }) => text === 'A>B append-request');
    group.propose('A');
    group.deliver();
    if (old === undefined) throw new Error('nothing was sent');
    group.step('B', { kind: 'message', message: old });
    expect(group.status('B')).toMatchObject({ commit: 1, lastIndex: 3 });
    expect(group.disk('B').lastIndex).toBe(3);
  });

  test('a follower commits no further than its log is known to agree', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('B', logOf(1, 1, 1), 2);
    const body = { kind: 'append-request', entries: [], commit: 3, round: 1 } as const;
    group.tell('A', 'B', 2, { ...body, previousIndex: 1, previousTerm: 1 });
    expect(group.status('B').commit).toBe(1);
  });
});

describe('snapshots', () => {
  const state = Uint8Array.from({ length: 25 }, (_, i) => i);

  /** B is down and needs what A has compacted: up to index 4, in pieces of ten bytes. */
  function behind(): ScriptedGroup {
    const group = settledGroup({ messageBytesMax: 10 });
    group.crash('B');
    for (let i = 0; i < 3; i++) group.propose('A');
    group.deliver();
    expect(group.step('A', { kind: 'compact', index: 4, state })).toEqual({ kind: 'ok' });
    group.restart('B');
    group.effects.length = 0;
    return group;
  }

  test('compaction drops the entries up to it and keeps those after', () => {
    const group = settledGroup();
    group.propose('A');
    group.propose('A');
    group.deliver();
    group.step('A', { kind: 'compact', index: 2, state });
    expect(group.status('A')).toMatchObject({ firstIndex: 2, lastIndex: 3, commit: 3 });
    expect(group.disk('A').entries).toHaveLength(1);
  });

  test('what is not applied, or compacted already, is not compacted', () => {
    const group = settledGroup();
    expect(group.step('A', { kind: 'compact', index: 2, state }).kind).toBe('invalid');
    expect(group.step('A', { kind: 'compact', index: 1, state }).kind).toBe('ok');
    expect(group.step('A', { kind: 'compact', index: 1, state }).kind).toBe('invalid');
  });

  test('a follower that needs what was compacted gets the snapshot in pieces', () => {
    const group = behind();
    group.settle('A', 4);
    expect(group.did('B', 'install')).toMatchObject([{ snapshot: { index: 4, state } }]);
    expect(group.disk('B').snapshot.state).toEqual(state);
    const offsets = group.sentBy('A', 'snapshot-request').map(({ offset }) => offset);
    expect(offsets).toEqual([0, 10, 20]);
    group.propose('A');
    group.deliver();
    expect(group.disk('B').lastIndex).toBe(5);
  });

  test('a lost piece is sent again with a heartbeat, and nothing before it', () => {
    const group = behind();
    group.tick('A', 2);
    group.deliver(({ body }) => body.kind !== 'snapshot-request' || body.offset < 20);
    group.drop();
    group.effects.length = 0;
    group.settle('A', 4);
    const offsets = group.sentBy('A', 'snapshot-request').map(({ offset }) => offset);
    expect(offsets).toEqual([20]);
    expect(group.status('B').firstIndex).toBe(4);
  });

  test('a follower that restarts is sent the snapshot from its start', () => {
    const group = behind();
    group.tick('A', 2);
    group.deliver(({ body }) => body.kind !== 'snapshot-request' || body.offset < 20);
    group.drop();
    group.crash('B');
    group.restart('B');
    group.settle('A', 8);
    expect(group.disk('B').snapshot.state).toEqual(state);
  });

  // Found by the simulator: each doubled answer began one more exchange, for as long as the snapshot took.
  test('doubled answers do not multiply the pieces', () => {
    const group = behind();
    group.tick('A', 2);
    group.deliver(({ body }) => body.kind !== 'snapshot-response');
    const [answer] = group.messages;
    if (answer === undefined) throw new Error('nothing was answered');
    for (let i = 0; i < 5; i++) group.step('A', { kind: 'message', message: answer });
    const pieces = group.messages.filter(({ text }) => text === 'A>B snapshot-request');
    expect(pieces).toHaveLength(1);
  });

  test('a newer snapshot replaces one that was half here', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const piece = {
      kind: 'snapshot-request',
      snapshotTerm: 1,
      config: configOf('ABC'),
      totalSize: 4,
      round: 1,
    } as const;
    const half = { ...piece, bytes: new Uint8Array(2) };
    group.tell('A', 'B', 1, { ...half, index: 5, offset: 0 });
    group.tell('A', 'B', 1, { ...half, index: 9, offset: 0 });
    group.tell('A', 'B', 1, { ...half, index: 5, offset: 2 });
    expect(group.status('B').commit).toBe(0);
    group.tell('A', 'B', 1, { ...half, index: 9, offset: 2 });
    expect(group.status('B')).toMatchObject({ firstIndex: 9, commit: 9 });
    expect(group.sentBy('B', 'snapshot-response')).toMatchObject([
      { index: 5, nextOffset: 2 },
      { index: 9, nextOffset: 2 },
      { index: 9, nextOffset: 4 },
    ]);
  });

  test('pieces of two leaders are not put together', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const piece = {
      kind: 'snapshot-request',
      index: 5,
      snapshotTerm: 1,
      config: configOf('ABC'),
      bytes: new Uint8Array(2),
      totalSize: 4,
      round: 1,
    } as const;
    group.tell('A', 'B', 1, { ...piece, offset: 0 });
    group.tell('C', 'B', 2, { ...piece, offset: 2 });
    expect(group.status('B').commit).toBe(0);
    expect(group.sentBy('B', 'snapshot-response').at(-1)).toMatchObject({ nextOffset: 0 });
  });

  test('a follower that has the entries takes the snapshot for a commit, and keeps the rest', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('B', logOf(1, 1, 1, 1));
    group.tell('A', 'B', 1, {
      kind: 'snapshot-request',
      index: 2,
      snapshotTerm: 1,
      config: configOf('ABC'),
      offset: 0,
      bytes: new Uint8Array(0),
      totalSize: 9,
      round: 1,
    });
    expect(group.status('B')).toMatchObject({ firstIndex: 0, commit: 2, lastIndex: 4 });
    expect(group.sentBy('B', 'append-response')).toMatchObject([
      { isAccepted: true, matchIndex: 2 },
    ]);
  });

  test('a snapshot replaces a log that contradicts it', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.join('B', [command(1, 1), command(2, 2), command(3, 2)]);
    group.tell('A', 'B', 3, {
      kind: 'snapshot-request',
      index: 2,
      snapshotTerm: 3,
      config: configOf('AB'),
      offset: 0,
      bytes: new Uint8Array(3),
      totalSize: 3,
      round: 1,
    });
    expect(group.status('B')).toMatchObject({ commit: 2, lastIndex: 2, config: configOf('AB') });
    expect(group.disk('B').entries).toEqual([]);
  });

  test('a stream that comes out of order ends, and is not sent over and over', () => {
    const group = new ScriptedGroup(configOf('AB'), { messageBytesMax: 1 });
    group.elect('A');
    group.settle('A');
    const count = 100;
    for (let i = 0; i < count; i++) group.propose('A');
    const sentBefore = group.said().length;
    const random = Draw.of(1, key('A'));
    for (let i = 0; i < 50_000 && group.messages.length > 0; i++) {
      const at = random.between(0, group.messages.length - 1);
      const [message] = group.messages.splice(at, 1);
      if (message === undefined) break;
      group.step(nameOf(message.to), { kind: 'message', message });
    }
    expect(group.messages).toEqual([]);
    expect(group.said().length - sentBefore).toBeLessThan(10 * count);
    group.settle('A', 2 * count);
    expect(group.disk('B').lastIndex).toBe(count + 1);
  });
});
