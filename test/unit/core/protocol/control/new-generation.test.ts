import { beforeEach, describe, expect, test } from 'vitest';
import { minuteMs } from '../../../../../src/base/units.ts';
import type { BodyOf } from '../../../../../src/core/format/control-records.ts';
import { beginGeneration } from '../../../../../src/core/protocol/control/new-generation.ts';
import { startMs } from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

function decree(change: Partial<BodyOf<'decree'>> = {}): BodyOf<'decree'> {
  return {
    kind: 'decree',
    generation: 2,
    voters: [bergen.agentKey],
    abandoned: [log.oslo.agentKey, turku.agentKey],
    logSize: log.index,
    rootHash: new Uint8Array(32),
    reason: 'oslo and turku are lost',
    noticeMs: 30 * minuteMs,
    announcedMs: startMs,
    ...change,
  };
}

function sealed(change: Partial<BodyOf<'decree'>> = {}, secret = log.operator): Uint8Array {
  return log.seal(decree(change), [secret], { generation: change.generation ?? 2 });
}

/** Goes on in the generation that a decree begins. */
function begin(): Uint8Array {
  const envelope = sealed();
  log.state = beginGeneration(log.state, envelope);
  log.index = 0;
  return envelope;
}

describe('a decree', () => {
  test('it puts the new voters in force and takes the vote of abandoned agents', () => {
    const old = log.state.encode();
    const before = log.state;
    begin();
    expect(before.encode()).toEqual(old);
    const { state } = log;
    expect([state.generation, state.lastIndex]).toEqual([2, 0]);
    expect(state.config.voters).toEqual([bergen.agentKey]);
    expect(state.layout.current).toMatchObject({ version: 2, mode: 'pinned' });
    const voters = [turku.agentKey];
    expect(log.byOperator({ kind: 'layout', version: 3, base: 2, mode: 'pinned', voters })).toBe(
      '"turku-host" was abandoned by a decree',
    );
    log.configure([bergen, turku]);
    const report = { kind: 'site-report', site: 'oslo', state: 'lost' } as const;
    expect(log.by(turku, { ...report, site: 'riga' })).toBe('applied');
    expect(log.by(turku, log.manifest(1, { of: bergen }).body)).toContain('is not a voter');
  });

  test('whom it has abandoned gets its vote back by the role, given anew by operators', () => {
    begin();
    const role = { kind: 'roles', agent: turku.agentKey, remove: [] } as const;
    expect(log.byOperator({ ...role, add: ['storage'] })).toContain('has these roles already');
    expect(log.by(bergen, { ...role, add: ['voter'] })).toContain('operators must sign');
    expect(log.byOperator({ ...role, add: ['voter'] })).toBe('applied');
    expect(log.byOperator({ ...role, add: ['voter'] })).toContain('has these roles already');
    const voters = [bergen.agentKey, turku.agentKey].sort();
    const layout = { kind: 'layout', version: 3, base: 2, mode: 'pinned', voters } as const;
    expect(log.byOperator(layout)).toBe('applied');
    log.configure([bergen, turku]);
    expect(log.by(turku, log.manifest(1, { of: bergen }).body)).toBe('applied');
    expect(log.state.members.of(log.oslo.agentKey)?.isAbandoned).toBe(true);
  });

  test('it opens the log of its generation, and stands nowhere else', () => {
    const inOld = log.seal(decree(), [log.operator], { generation: 1 });
    expect(log.append(inOld)).toMatchObject({
      reason: 'a decree begins the log of a new generation, and stands nowhere else',
    });
    const envelope = begin();
    expect(log.append(envelope)).toEqual({ outcome: 'applied' });
    expect(log.state.decrees.all()).toMatchObject([{ isLogged: true }]);
    expect(log.append(envelope)).toMatchObject({ outcome: 'void' });
  });

  test('another decree cannot take its place in the log', () => {
    begin();
    expect(log.append(sealed({ reason: 'another' }))).toMatchObject({ outcome: 'void' });
    expect(log.state.decrees.all()).toMatchObject([{ isLogged: false }]);
  });

  test('open slots are dead, decided ones stay', () => {
    log.contest();
    begin();
    expect(log.db()).toMatchObject({ state: 'dead', incarnation: 1, slot: undefined });
  });

  test('plans keep their marks and wait for a coordinator, whose fence is higher than any before', () => {
    const at = log.start();
    log.mark(at, 'restore-db', 'started');
    begin();
    expect(log.mark(at, 'restore-db', 'done')).toBe('the run has no coordinator');
    const fence = log.assign(at.hash, bergen);
    expect(fence.generation).toBe(2);
    expect(log.mark({ ...at, fence }, 'restore-db', 'done', { by: bergen })).toBe('applied');
  });

  test('commands of the old generation count no more', () => {
    const old = log.seal({ kind: 'demote', dataset: dbId, incarnation: 0 }, [
      log.oslo.statementSecret,
    ]);
    begin();
    expect(log.append(old)).toMatchObject({ reason: 'it was signed for generation 1' });
  });

  test.each([
    ['operators have not signed it', () => sealed({}, bergen.statementSecret), 'operators must'],
    ['it skips a generation', () => sealed({ generation: 3 }), 'begins generation 2'],
    ['its notice is too short', () => sealed({ noticeMs: 1 }), 'asks for a notice'],
    ['its voter may not vote', () => sealed({ voters: [riga.agentKey] }), 'neither the role'],
    [
      'it is none',
      () => log.seal({ kind: 'demote', dataset: dbId, incarnation: 0 }, [log.operator]),
      'no decree',
    ],
  ])('it is refused when %s', (_, envelope, reason) => {
    expect(() => beginGeneration(log.state, envelope())).toThrow(reason);
  });
});
