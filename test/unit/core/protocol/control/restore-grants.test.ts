import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../../src/base/units.ts';
import { encodeCommand } from '../../../../../src/core/format/control-command.ts';
import type { BodyOf, CommandHash } from '../../../../../src/core/format/control-records.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import type { PolicyDocument } from '../../../../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import { controlBounds } from '../../../../../src/core/protocol/control/control-bounds.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { commandHash } from '../../../../../src/core/protocol/control/evidence.ts';
import type { RestoreGrant } from '../../../../../src/core/protocol/control/restore-grant.ts';
import { secretOf, startMs } from '../../../../support/sample-cluster.ts';
import { bergen, commandId, turku } from './sample-control.ts';
import { keyOfPerson, OperatorsControl, type Person } from './sample-operators.ts';

let log: OperatorsControl;
let asked = 0;

beforeEach(() => begin());

/** Two of Ada, Bea and Cid approve a restore of `db`, unless the rules say something else. */
function begin(datasets?: PolicyDocument['datasets']): void {
  log = OperatorsControl.begin();
  const rules = datasets ?? [{ match: 'd*', restore: { approvals: 2, expires: '12h' } }];
  const document = encodePolicy({ datasets: rules });
  const policy = { kind: 'policy', version: 2, base: 1, document } as const;
  expect(log.signed(policy, 'Ada', 'Bea')).toBe('applied');
}

const request = (change: Partial<BodyOf<'restore-request'>> = {}): BodyOf<'restore-request'> => ({
  kind: 'restore-request',
  agent: bergen.agentKey,
  dataset: idOf(secretOf('db').subarray(0, 16)),
  writer: turku.agentKey,
  snapshot: idOf(secretOf('snapshot')),
  name: 'db',
  path: '/srv',
  recipient: `age1${'q'.repeat(58)}`,
  lastsMs: 2 * hourMs,
  reason: 'the disk has died',
  ...change,
});

function ask(body = request(), by = bergen): { id: CommandHash; said: string } {
  const name = commandId(`asked ${asked++}`);
  const command = { id: name, timeMs: startMs, body };
  const { cluster, state } = log;
  const { generation } = state;
  const id = commandHash(encodeCommand(command), { cluster: cluster.id, generation });
  const outcome = log.append(log.seal(body, [by.statementSecret], { id: name }));
  return { id, said: outcome.outcome === 'applied' ? 'applied' : outcome.reason };
}

function approved(...names: Person[]): CommandHash {
  const { id, said } = ask();
  expect(said).toBe('applied');
  for (const name of names) expect(log.approve(id, name)).toBe('applied');
  return id;
}

const keys = (id: CommandHash): BodyOf<'restore-grant'> => ({
  kind: 'restore-grant',
  request: id,
  sealed: { kind: 'inline', bytes: Uint8Array.of(1, 2) },
  packs: 7,
});

function granted(): CommandHash {
  const id = approved('Ada', 'Cid');
  expect(log.signed(keys(id), 'Cid')).toBe('applied');
  return id;
}

const grant = (id: CommandHash): RestoreGrant | undefined => log.state.restoreGrants.of(id);
const use = (id: CommandHash, by = bergen): string =>
  log.by(by, { kind: 'restore-use', request: id });
const used = { kind: 'restore-end', outcome: 'used', reason: 'done' } as const;

describe('a request to restore', () => {
  test('waits for as many operators as the policy asks for, and nothing is resealed before', () => {
    const id = approved('Ada');
    expect(log.proposal(id).state).toBe('open');
    expect(grant(id)).toBeUndefined();
    expect(log.signed(keys(id), 'Ada')).toBe('there is no such approved request');
    expect(log.approve(id, 'Ada')).toBe('this operator has signed it already');
    expect(log.approve(id, 'Bea')).toBe('applied');
    expect(log.proposal(id).state).toBe('done');
    const approvals = [keyOfPerson('Ada'), keyOfPerson('Bea')].sort();
    expect(grant(id)).toMatchObject({ state: 'approved', approvals });
  });

  test('is for the agent that signs it', () => {
    expect(ask(request({ agent: turku.agentKey })).said).toBe('an agent asks for itself');
    expect(log.signed(request(), 'Ada')).toMatch(/is no member/);
  });

  test('asks for no more time than the policy allows', () => {
    expect(ask(request({ lastsMs: dayMs })).said).toBe(
      'the policy lets grants of dataset db last 12 h at most',
    );
    begin([]);
    expect(ask(request({ lastsMs: dayMs })).said).toBe('applied');
  });

  test('needs one operator where the policy asks for none', () => {
    begin([{ match: '*', restore: { approvals: 0 } }]);
    const { id } = ask();
    expect(log.signed(keys(id), 'Bea')).toBe('there is no such approved request');
    log.approve(id, 'Bea');
    expect(grant(id)?.state).toBe('approved');
  });

  test('is denied when too few are left who may approve it', () => {
    begin([{ match: '*', restore: { approvals: 1, by: ['Bea'] } }]);
    const { id } = ask();
    log.signed({ kind: 'deny', hash: id, reason: 'who is that' }, 'Ada');
    expect(log.proposal(id).state).toBe('open');
    log.signed({ kind: 'deny', hash: id, reason: 'who is that' }, 'Bea');
    expect(log.proposal(id).state).toBe('denied');
    expect(log.approve(id, 'Bea')).toBe('the proposal is denied');
  });

  test('leaves room for other agents, and for what operators propose', () => {
    const { requestsPerAgentMax } = controlBounds;
    for (let i = 0; i < requestsPerAgentMax; i++) expect(ask().said).toBe('applied');
    expect(ask().said).toBe('this agent has too many open requests');
    expect(ask(request({ agent: turku.agentKey }), turku).said).toBe('applied');
    const document = encodePolicy({});
    const policy = { kind: 'policy', version: 3, base: 2, document } as const;
    expect(log.propose(policy).said).toBe('applied');
  });

  test('expires when nobody has decided, or nobody has resealed', () => {
    const { id } = ask();
    const other = approved('Ada', 'Bea');
    log.passTo(0);
    log.passTo(7 * dayMs - minuteMs);
    expect(grant(other)?.state).toBe('approved');
    log.passTo(7 * dayMs);
    expect(log.proposal(id).state).toBe('expired');
    expect(grant(other)?.state).toBe('expired');
  });
});

describe('a restore grant', () => {
  test('opens once, for the agent that has asked', () => {
    const id = granted();
    expect(grant(id)?.grant).toMatchObject({ by: keyOfPerson('Cid'), keys: { packs: 7 } });
    expect(use(id, turku)).toBe('it was granted to another agent');
    expect(use(id)).toBe('applied');
    expect(use(id)).toBe('the grant is in-use');
    expect(log.by(turku, { ...used, request: id })).toBe('it was granted to another agent');
    expect(log.by(bergen, { ...used, request: id })).toBe('applied');
    expect(use(id)).toBe('the grant is used');
    expect(log.signed(keys(id), 'Cid')).toBe('the grant is used');
  });

  test('ends by log time, counted from the grant, also while it is in use', () => {
    const id = granted();
    log.passTo(0);
    log.passTo(hourMs);
    expect(use(id)).toBe('applied');
    log.passTo(2 * hourMs);
    expect(grant(id)?.state).toBe('expired');
    expect(use(id)).toBe('the grant is expired');
  });

  test('can be given back, and taken back by an operator', () => {
    const first = granted();
    const end = { kind: 'restore-end', reason: 'not needed' } as const;
    expect(log.by(bergen, { ...end, request: first, outcome: 'revoked' })).toMatch(/operator/);
    expect(log.by(bergen, { ...end, request: first, outcome: 'withdrawn' })).toBe('applied');
    const second = granted();
    use(second);
    expect(log.signed({ ...end, request: second, outcome: 'revoked' }, 'Ada')).toBe('applied');
    expect(grant(second)).toMatchObject({ state: 'revoked', reason: 'not needed' });
  });

  test('keeps no keys once it has ended', () => {
    const id = granted();
    use(id);
    log.by(bergen, { ...used, request: id });
    expect(grant(id)?.grant).toMatchObject({ by: keyOfPerson('Cid'), keys: undefined });
  });

  test('is not given to who was put out meanwhile', () => {
    const { id } = ask();
    log.approve(id, 'Ada');
    log.signed({ kind: 'expel', agent: bergen.agentKey, reason: 'stolen' }, 'Ada', 'Bea');
    log.approve(id, 'Cid');
    expect(log.proposal(id)).toMatchObject({ state: 'failed' });
    expect(grant(id)).toBeUndefined();
  });

  test('stands in an image of the state as it is', () => {
    granted();
    use(granted());
    const last = granted();
    use(last);
    log.by(bergen, { ...used, request: last });
    approved('Ada', 'Bea');
    log.passTo(minuteMs);
    const { state, cluster } = log;
    const copy = ControlState.decode(state.encode(), state.genesis, cluster.id);
    expect(copy.restoreGrants.all()).toEqual(state.restoreGrants.all());
    expect(copy.hash()).toEqual(state.hash());
  });
});
