import { describe, expect, test } from 'vitest';
import { encodeConfig } from '../../../../../src/core/protocol/raft/config-codec.ts';
import type { RaftConfig } from '../../../../../src/core/protocol/raft/types.ts';
import { command, configOf, electionTicks, key, logOf, ScriptedGroup } from './scripted-group.ts';

function led(voters: string, learners = ''): ScriptedGroup {
  const group = new ScriptedGroup(configOf(voters, learners));
  group.elect('A');
  group.settle('A');
  return group;
}

function configure(group: ScriptedGroup, config: RaftConfig, name = 'A') {
  return group.step(name, { kind: 'configure', config });
}

describe('changes of the configuration', () => {
  test('a learner is added, brought up to date and made a voter', () => {
    const group = led('ABC');
    group.propose('A');
    group.join('D');
    expect(configure(group, configOf('ABC', 'D')).kind).toBe('ok');
    group.settle('A');
    expect(group.disk('D').lastIndex).toBe(3);
    expect(configure(group, configOf('ABCD')).kind).toBe('ok');
    group.settle('A');
    expect(group.status('D').config).toEqual(configOf('ABCD'));
  });

  test.each([
    ['two voters more', configOf('ABCDE')],
    ['two voters less', configOf('A')],
    ['one voter in the place of another', configOf('ABD')],
    ['no voter', configOf('')],
    ['a voter named twice', configOf('ABCC')],
    ['a voter that is a learner too', configOf('ABCD', 'D')],
    ['nothing new', configOf('CBA')],
    ['a name that is no key', { voters: [...configOf('ABC').voters, 'D' as never], learners: [] }],
  ])('%s is refused', (_, config) => {
    const group = led('ABC');
    expect(configure(group, config).kind).toBe('invalid');
    expect(group.status('A').lastIndex).toBe(1);
  });

  test('learners come and go in any number, with one voter at most', () => {
    const group = led('ABC', 'DE');
    expect(configure(group, configOf('ABCD', 'FGH')).kind).toBe('ok');
  });

  test('a second change waits until the first is committed', () => {
    const group = led('ABC');
    configure(group, configOf('ABC', 'D'));
    expect(configure(group, configOf('ABC', 'E'))).toEqual({ kind: 'change-pending' });
    group.deliver();
    expect(configure(group, configOf('ABC', 'E')).kind).toBe('ok');
  });

  // Ongaro, raft-dev, 2015: two leaders with changes of which neither knows the other's.
  test('no change begins before an entry of the own term is committed', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    group.tick('A', electionTicks);
    group.deliver(({ body }) => body.kind.startsWith('vote'));
    expect(group.status('A').role).toBe('leader');
    expect(configure(group, configOf('AB'))).toEqual({ kind: 'not-ready' });
    group.deliver();
    expect(configure(group, configOf('AB')).kind).toBe('ok');
  });

  test('a configuration counts from its append on', () => {
    const group = led('ABC');
    configure(group, configOf('ABC', 'D'));
    group.join('D');
    group.settle('A');
    group.cuts.add('CA').add('DA');
    configure(group, configOf('ABCD'));
    group.deliver();
    // Two of three hold it, but three of four must.
    expect(group.status('A').commit).toBe(2);
    group.cuts.delete('DA');
    group.settle('A');
    expect(group.status('A').commit).toBe(3);
  });

  test('a configuration that is cut off with its log no longer counts', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const change = (index: number, config: RaftConfig) =>
      ({ index, term: 2, kind: 'config', payload: encodeConfig(config) }) as const;
    group.join('B', [command(1, 1), change(2, configOf('AB')), change(3, configOf('A'))]);
    const body = { kind: 'append-request', commit: 0, round: 1 } as const;
    const cut = { ...body, previousIndex: 2, previousTerm: 2, entries: [command(3, 3)] };
    expect(group.status('B').config).toEqual(configOf('A'));
    group.tell('C', 'B', 3, cut);
    expect(group.status('B').config).toEqual(configOf('AB'));
    group.tell('C', 'B', 4, {
      ...body,
      previousIndex: 1,
      previousTerm: 1,
      entries: [command(2, 4)],
    });
    expect(group.status('B').config).toEqual(configOf('ABC'));
  });

  test('a configuration survives its compaction', () => {
    const group = led('ABC');
    configure(group, configOf('AB'));
    group.deliver();
    group.step('A', { kind: 'compact', index: 2, state: new Uint8Array(3) });
    group.crash('A');
    group.restart('A');
    expect(group.status('A').config).toEqual(configOf('AB'));
  });

  test('a snapshot holds the configuration of its own index, not a later one', () => {
    const group = led('ABC');
    group.propose('A');
    group.deliver();
    group.cuts.add('AB').add('AC');
    configure(group, configOf('AB'));
    group.step('A', { kind: 'compact', index: 2, state: new Uint8Array(3) });
    expect(group.disk('A').snapshot.config).toEqual(configOf('ABC'));
    expect(group.status('A').config).toEqual(configOf('AB'));
  });

  test('a leader that is not in the new configuration commits it without itself and steps down', () => {
    const group = led('ABC');
    group.cuts.add('CA');
    configure(group, configOf('BC'));
    group.deliver();
    expect(group.status('A')).toMatchObject({ role: 'leader', commit: 1 });
    group.cuts.clear();
    group.settle('A');
    expect(group.status('A')).toMatchObject({ role: 'follower', commit: 2 });
    expect(group.disk('B').lastIndex).toBe(2);
    group.tick('A', 3 * electionTicks);
    expect(group.sentBy('A', 'vote-request').filter(({ lastIndex }) => lastIndex === 2)).toEqual(
      [],
    );
  });

  test('the last other voter is removed by a majority of one', () => {
    const group = led('AB');
    group.crash('B');
    expect(configure(group, configOf('A')).kind).toBe('ok');
    expect(group.status('A')).toMatchObject({ role: 'leader', commit: 2 });
  });

  test('only a leader changes anything', () => {
    const group = led('ABC');
    expect(configure(group, configOf('AB'), 'B')).toEqual({ kind: 'not-leader', leader: key('A') });
  });

  test('a change that an earlier leader has left is pending for the next', () => {
    const group = new ScriptedGroup(configOf('ABC'));
    const left = {
      index: 2,
      term: 1,
      kind: 'config',
      payload: encodeConfig(configOf('ABC', 'D')),
    } as const;
    for (const name of 'ABC') group.join(name, [...logOf(1), left]);
    group.tick('A', electionTicks);
    group.deliver(({ body }) => body.kind.startsWith('vote'));
    expect(configure(group, configOf('ABC'))).toEqual({ kind: 'not-ready' });
    group.deliver();
    expect(configure(group, configOf('ABC')).kind).toBe('ok');
  });
});
