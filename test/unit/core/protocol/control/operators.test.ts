import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../../../../../src/base/units.ts';
import type { BodyOf } from '../../../../../src/core/format/control-records.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { sampleAgent } from '../../../../support/sample-cluster.ts';
import { bergen, turku } from './sample-control.ts';
import { OperatorsControl, operatorNamed, type Person } from './sample-operators.ts';

let log: OperatorsControl;

beforeEach(() => {
  log = OperatorsControl.begin();
});

const operators = (
  names: readonly Person[],
  change: Partial<BodyOf<'operators'>> = {},
): BodyOf<'operators'> => ({
  kind: 'operators',
  version: 2,
  base: 1,
  threshold: 2,
  operators: names.map(operatorNamed),
  ...change,
});

const all = ['Ada', 'Bea', 'Cid', 'Dora'] as const;

describe('the operators', () => {
  test('begin as the genesis says', () => {
    const { version, threshold, operators: people } = log.state.operators.current;
    expect({ version, threshold }).toEqual({ version: 1, threshold: 2 });
    expect(people.map(({ name }) => name)).toEqual(['Ada', 'Bea', 'Cid']);
  });

  test('a new one is made by the threshold of the old, and signs from then on', () => {
    expect(log.signed(operators(all), 'Ada')).toContain('2 of the old operators must sign');
    expect(log.signed(operators(all), 'Ada', 'Dora')).toContain('2 of the old operators must sign');
    expect(log.signed(operators(all), 'Ada', 'Bea')).toBe('applied');
    const layout = { kind: 'layout', version: 2, base: 1, mode: 'auto', voters: [] } as const;
    expect(log.signed(layout, 'Cid', 'Dora')).toBe('applied');
  });

  test('a higher threshold must be met by those who shall meet it', () => {
    const four = operators(all, { threshold: 4 });
    expect(log.signed(four, 'Ada', 'Bea', 'Cid')).toContain('4 of the new operators must sign');
    const { hash } = log.propose(four);
    expect(log.approve(hash, 'Bea', 'Cid')).toBe('applied');
    expect(log.proposal(hash).state).toBe('open');
    expect(log.approve(hash, 'Dora')).toBe('applied');
    expect(log.state.operators.current.threshold).toBe(4);
  });

  test('versions follow each other without a gap', () => {
    log.signed(operators(all), 'Ada', 'Bea');
    expect(log.signed(operators(all), 'Ada', 'Bea')).toContain('but 2 is current');
    expect(() => log.seal(operators(all, { version: 5, base: 3 }), [])).toThrow(
      'the version before',
    );
  });

  test('one key has one role, and one name one person', () => {
    const agent = { name: 'Eve', key: bergen.agentKey, recipient: '' };
    const withAgent = operators([], { operators: [...all.map(operatorNamed), agent] });
    expect(log.signed(withAgent, 'Ada', 'Bea')).toContain('belongs to an agent');
    const twice = operators([], { operators: [operatorNamed('Ada'), operatorNamed('Ada')] });
    expect(() => log.seal(twice, [])).toThrow('listed twice');
    const small = { name: 'Eve', key: '01'.padEnd(64, '0') as never, recipient: '' };
    const withSmall = operators([], { operators: [...all.map(operatorNamed), small] });
    expect(log.signed(withSmall, 'Ada', 'Bea')).toContain('no acceptable key');
  });

  test('invites of a new operator admit, and those of a removed one do not', () => {
    const nora = sampleAgent('nora');
    expect(log.by(log.oslo, log.admissionBy(nora, ['Dora', 'Cid']))).toContain('enough operators');
    log.signed(operators(all), 'Ada', 'Bea');
    expect(log.by(log.oslo, log.admissionBy(nora, ['Dora', 'Cid']))).toBe('applied');
    const left = operators(['Ada', 'Bea', 'Dora'], { version: 3, base: 2 });
    log.signed(left, 'Ada', 'Bea');
    log.passTo(0);
    log.passTo(72 * hourMs);
    expect(log.state.operators.current.version).toBe(3);
    const paul = sampleAgent('paul');
    expect(log.by(log.oslo, log.admissionBy(paul, ['Dora', 'Cid']))).toContain('enough operators');
  });

  test('survive an image with what proves them', () => {
    const { hash } = log.propose(operators(all));
    log.approve(hash, 'Bea');
    const copy = ControlState.decode(log.state.encode(), log.cluster.genesis, log.cluster.id);
    expect(copy.operators.history).toEqual(log.state.operators.history);
  });
});

describe('roles', () => {
  const roles = (change: Partial<BodyOf<'roles'>> = {}): BodyOf<'roles'> => ({
    kind: 'roles',
    agent: bergen.agentKey,
    add: [],
    remove: [],
    ...change,
  });

  test('are given and taken by the threshold', () => {
    expect(log.signed(roles({ add: ['auditor'] }), 'Ada')).toContain('2 operators must sign');
    expect(log.signed(roles({ add: ['auditor'], remove: ['source'] }), 'Ada', 'Cid')).toBe(
      'applied',
    );
    expect(log.state.members.of(bergen.agentKey)).toMatchObject({
      roles: ['storage', 'voter', 'auditor'],
      revocations: [{ role: 'source', index: log.state.lastIndex, authors: expect.any(Array) }],
    });
    expect(log.signed(roles({ add: ['auditor'] }), 'Ada', 'Cid')).toContain('these roles already');
  });

  test('without source an agent has no snapshot anchored, and without a vote it says no time', () => {
    log.signed(roles({ remove: ['source', 'voter'] }), 'Ada', 'Cid');
    expect(log.by(turku, log.manifest(1, { of: bergen }).body)).toContain('role source');
    expect(log.by(bergen, { kind: 'time', logTimeMs: 1 })).toBe('"bergen-host" is not a voter');
  });

  test('the last one that may vote keeps its vote', () => {
    for (const agent of [bergen, turku]) {
      expect(log.signed(roles({ agent: agent.agentKey, remove: ['voter'] }), 'Ada', 'Bea')).toBe(
        'applied',
      );
    }
    const last = roles({ agent: log.oslo.agentKey, remove: ['voter'] });
    expect(log.signed(last, 'Ada', 'Bea')).toBe('nobody would be left who may vote');
    expect(log.signed({ kind: 'expel', agent: log.oslo.agentKey, reason: 'x' }, 'Ada', 'Bea')).toBe(
      'nobody would be left who may vote',
    );
  });

  test('who was put out is no member, says nothing any more, and does not come back', () => {
    const expel = { kind: 'expel', agent: bergen.agentKey, reason: 'stolen' } as const;
    expect(log.signed(expel, 'Ada')).toContain('2 operators must sign');
    expect(log.signed(expel, 'Ada', 'Bea')).toBe('applied');
    expect(log.state.members.of(bergen.agentKey)).toBeUndefined();
    expect(log.by(bergen, { kind: 'time', logTimeMs: 1 })).toContain('is no member');
    expect(log.signed(expel, 'Ada', 'Bea')).toContain('is no member');
    expect(log.by(log.oslo, log.admissionBy(bergen, ['Ada', 'Cid']))).toContain('was put out');
    const copy = ControlState.decode(log.state.encode(), log.cluster.genesis, log.cluster.id);
    expect(copy.members.record(bergen.agentKey)?.expulsion).toMatchObject({ reason: 'stolen' });
  });
});
