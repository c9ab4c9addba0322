import { describe, expect, test } from 'vitest';
import { configOf, electionTicks, key, ScriptedGroup } from './scripted-group.ts';

function led(learners = ''): ScriptedGroup {
  const group = new ScriptedGroup(configOf('ABC', learners));
  group.elect('A');
  group.settle('A');
  return group;
}

// Dissertation, section 3.10.
describe('transfer of leadership', () => {
  test('the chosen voter leads at once, without waiting for a timeout', () => {
    const group = led();
    expect(group.step('A', { kind: 'transfer', to: key('C') })).toEqual({ kind: 'ok' });
    group.deliver();
    expect(group.status('C')).toMatchObject({ role: 'leader', term: 2 });
    expect(group.status('A')).toMatchObject({ role: 'follower', leader: key('C') });
  });

  test('the chosen voter is brought up to date first', () => {
    const group = led();
    group.cuts.add('AC');
    group.propose('A');
    group.deliver();
    group.cuts.clear();
    group.step('A', { kind: 'transfer', to: key('C') });
    expect(group.sentBy('A', 'timeout-now')).toEqual([]);
    group.settle('A', 3);
    expect(group.status('C')).toMatchObject({ role: 'leader', lastIndex: 3 });
  });

  test('without a wish, the voter that holds most is chosen', () => {
    const group = led('D');
    group.cuts.add('AB');
    group.propose('A');
    group.deliver();
    group.step('A', { kind: 'transfer' });
    group.deliver();
    expect(group.status('C').role).toBe('leader');
  });

  test('proposals and changes wait meanwhile', () => {
    const group = led();
    group.crash('C');
    group.step('A', { kind: 'transfer', to: key('C') });
    expect(group.propose('A')).toEqual({ kind: 'not-ready' });
    expect(group.step('A', { kind: 'configure', config: configOf('AB') })).toEqual({
      kind: 'not-ready',
    });
  });

  test('it is given up after an election timeout', () => {
    const group = led();
    group.crash('C');
    group.step('A', { kind: 'transfer', to: key('C') });
    group.settle('A', electionTicks - 1);
    expect(group.propose('A')).toEqual({ kind: 'not-ready' });
    group.settle('A', 1);
    expect(group.propose('A').kind).toBe('ok');
    expect(group.status('A')).toMatchObject({ role: 'leader', term: 1 });
  });

  test.each([
    ['itself', key('A')],
    ['a learner', key('D')],
    ['a stranger', key('Z')],
  ])('it is not made to %s', (_, to) => {
    expect(led('D').step('A', { kind: 'transfer', to }).kind).toBe('invalid');
  });

  test('nobody but the leader makes a voter stand', () => {
    const group = led();
    for (const [from, term] of [
      ['C', 1],
      ['A', 2],
      ['Z', 1],
    ] as const) {
      expect(group.tell(from, 'B', term, { kind: 'timeout-now' }).kind).toBe('invalid');
    }
    expect(group.status('B')).toMatchObject({ role: 'follower', term: 1 });
  });
});
