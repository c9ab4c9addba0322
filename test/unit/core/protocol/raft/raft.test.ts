import { describe, expect, test } from 'vitest';
import { Raft } from '../../../../../src/core/protocol/raft/raft.ts';
import { configOf, electionTicks, key, ScriptedGroup } from './scripted-group.ts';

const tick = { kind: 'tick' } as const;

describe('Raft', () => {
  test('the same seed and inputs give the same run', () => {
    const [one, other] = ['one', 'other'].map(() => {
      const group = new ScriptedGroup(configOf('ABC'), { electionTicksMax: 50, seed: 77 });
      group.tick('A', 200);
      group.deliver();
      return group;
    });
    expect(one?.effects).toEqual(other?.effects);
    expect(one?.effects.length).toBeGreaterThan(2);
  });

  test('members with the same seed do not wait for the same time', () => {
    const group = new ScriptedGroup(configOf('ABCDEFG'), { electionTicksMax: 200 });
    const waits = [...'ABCDEFG'].map((name) => {
      let ticks = 0;
      while (group.sentBy(name, 'vote-request').length === 0 && ticks++ < 200) group.tick(name);
      return ticks;
    });
    expect(new Set(waits).size).toBeGreaterThan(4);
  });

  test('a copy goes its own way', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    const original = group.raft('A');
    const copy = original.clone();
    const before = original.fingerprint();
    expect(copy.fingerprint()).toBe(before);
    expect(copy.status()).toEqual(original.status());
    copy.step({ kind: 'propose', payload: new Uint8Array(3) });
    copy.step({ kind: 'read', id: 1 });
    for (let i = 0; i < 3 * electionTicks; i++) copy.step(tick);
    expect(original.fingerprint()).toBe(before);
    expect(copy.fingerprint()).not.toBe(before);
  });

  test('a copy does what the original would do', () => {
    const group = new ScriptedGroup(configOf('ABC'), { electionTicksMax: 40 });
    group.tick('A', 15);
    const copy = group.raft('A').clone();
    for (let i = 0; i < 200; i++) expect(copy.step(tick)).toEqual(group.raft('A').step(tick));
  });

  test('a copy of one that receives a snapshot has received as much', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const piece = {
      kind: 'snapshot-request',
      index: 5,
      snapshotTerm: 1,
      config: configOf('ABC'),
      totalSize: 4,
      round: 1,
    } as const;
    group.tell('A', 'B', 1, { ...piece, offset: 0, bytes: new Uint8Array(3).fill(7) });
    const copy = group.raft('B').clone();
    group.tell('A', 'B', 1, { ...piece, offset: 3, bytes: new Uint8Array(1) });
    expect(copy.status().commit).toBe(0);
    const message = { from: key('A'), to: key('B'), generation: 1, term: 1 };
    const body = { ...piece, offset: 3, bytes: new Uint8Array(1) };
    copy.step({ kind: 'message', message: { ...message, body } });
    expect(copy.fingerprint()).toBe(group.raft('B').fingerprint());
  });

  test.each<[string, (group: ScriptedGroup) => void]>([
    ['a tick', (group) => group.tick('B')],
    [
      'an entry',
      (group) => {
        group.propose('A');
        group.deliver(({ text }) => text.startsWith('A>B'));
      },
    ],
    [
      'a wish to read',
      (group) => {
        group.step('A', { kind: 'read', id: 1 });
      },
    ],
    [
      'a wish to hand over',
      (group) => {
        group.crash('C');
        group.step('A', { kind: 'transfer', to: key('C') });
      },
    ],
  ])('%s changes the fingerprint', (_, change) => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    const before = ['A', 'B'].map((name) => group.raft(name).fingerprint());
    change(group);
    expect(['A', 'B'].map((name) => group.raft(name).fingerprint())).not.toEqual(before);
  });

  test('a leader says what each member holds and whether it answers', () => {
    const group = new ScriptedGroup(configOf('ABC', 'D'));
    group.elect('A');
    group.cuts.add('AC');
    group.propose('A');
    group.settle('A', electionTicks);
    expect(group.status('A').progress).toEqual([
      { agent: key('B'), matchIndex: 2, isActive: true },
      { agent: key('C'), matchIndex: 1, isActive: false },
      { agent: key('D'), matchIndex: 2, isActive: true },
    ]);
  });

  test('every change of role, term, leader or configuration is announced once', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.elect('A');
    group.settle('A');
    group.step('A', { kind: 'configure', config: configOf('ABC', 'D') });
    group.deliver();
    expect(group.did('A', 'role').map(({ status }) => status.role)).toEqual([
      'pre-candidate',
      'candidate',
      'leader',
      'leader',
    ]);
  });

  test.each([
    ['heartbeats as rare as elections', { heartbeatTicks: 10 }],
    ['a range of timeouts that ends before it begins', { electionTicksMax: 9 }],
    ['a window for no entry', { entriesInFlightMax: 0 }],
  ])('%s are a bug of who set them', (_, settings) => {
    expect(() => new ScriptedGroup(configOf('ABC'), settings)).toThrow(
      /AssertionError|range|prevent|carries/,
    );
  });

  test('a log with a configuration that is none does not start', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const bad = { index: 1, term: 1, kind: 'config', payload: new Uint8Array(1) } as const;
    const stored = { ...group.disk('A').stored, entries: [bad] };
    const settings = {
      self: key('A'),
      electionTicksMin: 10,
      electionTicksMax: 10,
      heartbeatTicks: 2,
      messageBytesMax: 10,
      entriesInFlightMax: 1,
      seed: 0,
    };
    expect(() => new Raft(stored, settings)).toThrow(
      expect.objectContaining({ code: 'bad-encoding' }),
    );
  });
});
