import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../../src/base/units.ts';
import type { BodyOf } from '../../../../../src/core/format/control-records.ts';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import { controlBounds } from '../../../../../src/core/protocol/control/control-bounds.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { openEvidence } from '../../../../../src/core/protocol/control/evidence.ts';
import { lackOf } from '../../../../../src/core/protocol/control/proposal-change.ts';
import { bergen, turku } from './sample-control.ts';
import { keyOfPerson, OperatorsControl, operatorNamed, type Person } from './sample-operators.ts';

let log: OperatorsControl;

beforeEach(() => {
  log = OperatorsControl.begin();
});

const policy = (change: Partial<BodyOf<'policy'>> = {}): BodyOf<'policy'> => ({
  kind: 'policy',
  version: 2,
  base: 1,
  document: encodePolicy({ survive: { sites: 2 } }),
  ...change,
});

/** Takes an operator away, which cannot be undone by those who are left. */
const without = (gone: Person): BodyOf<'operators'> => {
  const left = (['Ada', 'Bea', 'Cid'] as const).filter((name) => name !== gone);
  const operators = left.map(operatorNamed);
  return { kind: 'operators', version: 2, base: 1, threshold: 2, operators };
};

describe('a proposal', () => {
  test('takes effect at the entry that completes its signatures, as if all had signed it together', () => {
    const { hash, said } = log.propose(policy());
    expect(said).toBe('applied');
    expect(log.state.policy.current.version).toBe(1);
    expect(log.approve(hash, 'Cid')).toBe('applied');
    expect(log.state.policy.current).toMatchObject({ version: 2, surviveSites: 2 });
    const version = log.state.policy.history.at(-1);
    expect(version).toMatchObject({ index: log.index });
    expect(version?.authors).toEqual([keyOfPerson('Ada'), keyOfPerson('Cid')].sort());
    expect(log.proposal(hash)).toMatchObject({ state: 'done', endIndex: log.index });
  });

  test('what was signed one after the other proves itself', () => {
    const { hash } = log.propose(policy());
    log.approve(hash, 'Cid');
    const evidence = log.state.policy.history.at(-1)?.evidence ?? [];
    const { command, signers } = openEvidence(evidence, log.cluster.id);
    expect(command.body).toEqual(policy());
    expect([...signers].sort()).toEqual([keyOfPerson('Ada'), keyOfPerson('Cid')].sort());
  });

  test('says whose signatures it lacks, where not every signature counts for what comes after', () => {
    const { hash } = log.propose(without('Cid'), ['Cid']);
    log.approve(hash, 'Ada');
    const proposal = log.proposal(hash);
    expect(proposal).toMatchObject({ state: 'open', approvals: [{}, {}] });
    if (proposal === undefined) throw new Error('it is gone');
    expect(lackOf(log.state, proposal)).toBe('2 of the new operators must sign this, 1 did');
  });

  test('one operator counts once, however often he signs', () => {
    const { hash } = log.propose(policy());
    expect(log.approve(hash, 'Ada')).toBe('this operator has signed it already');
    expect(log.propose(policy()).said).toBe('applied');
    expect(log.state.policy.current.version).toBe(1);
  });

  test('a signature for another command counts for that one alone', () => {
    const first = log.propose(policy());
    const other = log.propose(policy({ document: encodePolicy({}) }), ['Bea']);
    expect(first.hash).not.toBe(other.hash);
    expect(log.approve(first.hash.replace(/./g, '0') as never, 'Bea')).toBe(
      'there is no such proposal',
    );
    expect(log.state.policy.current.version).toBe(1);
  });

  test('counts no more once it has expired in log time', () => {
    const { hash } = log.propose(policy(), ['Ada'], hourMs);
    log.passTo(0);
    log.passTo(hourMs - 1);
    expect(log.proposal(hash).state).toBe('open');
    log.passTo(hourMs);
    expect(log.proposal(hash).state).toBe('expired');
    expect(log.approve(hash, 'Bea')).toBe('the proposal is expired');
    expect(log.state.policy.current.version).toBe(1);
  });

  test('of which the members have no hope is refused at once', () => {
    expect(log.propose(policy({ base: 7, version: 8 })).said).toContain('but 1 is current');
    expect(
      log.propose({ kind: 'demote', dataset: 'ab'.repeat(16) as never, incarnation: 0 }).said,
    ).toBe('operators have nothing to sign in this');
  });

  test('that another has overtaken fails where it is completed, and says why', () => {
    const { hash } = log.propose(policy());
    log.signed(policy(), 'Bea', 'Cid');
    expect(log.approve(hash, 'Bea')).toBe('applied');
    expect(log.proposal(hash)).toMatchObject({
      state: 'failed',
      reason: 'it replaces version 1 by 2, but 2 is current',
    });
  });

  test('is nobody’s but the operators’', () => {
    expect(log.propose(policy(), []).said).toContain('nobody signed');
    const { hash } = log.propose(policy());
    expect(log.by(bergen, { kind: 'approve', hash })).toBe('an operator must sign this');
    expect(log.by(bergen, { kind: 'deny', hash, reason: 'no' })).toBe('an operator must sign this');
  });

  test('ends when so many deny it that it cannot be completed', () => {
    const { hash } = log.propose(policy());
    expect(log.signed({ kind: 'deny', hash, reason: 'not now' }, 'Bea')).toBe('applied');
    expect(log.proposal(hash).state).toBe('open');
    expect(log.signed({ kind: 'deny', hash, reason: 'mistake' }, 'Ada')).toBe('applied');
    expect(log.proposal(hash)).toMatchObject({ state: 'denied', reason: 'mistake' });
    expect(log.approve(hash, 'Cid')).toBe('the proposal is denied');
  });

  test('the signature of who was removed meanwhile counts no more', () => {
    setDelay('0s');
    const { hash } = log.propose({ kind: 'expel', agent: turku.agentKey, reason: 'stolen' });
    const { said, hash: removal } = log.propose(without('Ada'), ['Bea', 'Cid']);
    expect(said).toBe('applied');
    expect(log.proposal(removal).state).toBe('done');
    expect(log.approve(hash, 'Bea')).toBe('applied');
    expect(log.proposal(hash).state).toBe('open');
    expect(log.state.members.of(turku.agentKey)).toBeDefined();
    expect(log.approve(hash, 'Ada')).toBe('an operator must sign this');
    expect(log.approve(hash, 'Cid')).toBe('applied');
    expect(log.state.members.of(turku.agentKey)).toBeUndefined();
  });

  test('one operator cannot fill the log with proposals', () => {
    for (let i = 0; i < controlBounds.proposalsPerOperatorMax; i++) {
      expect(log.propose(policy()).said).toBe('applied');
    }
    expect(log.propose(policy()).said).toBe('this operator has too many proposals under way');
    expect(log.propose(policy(), ['Bea']).said).toBe('applied');
  });

  test('survives an image, with all that was said of it', () => {
    const { hash } = log.propose(policy());
    log.signed({ kind: 'deny', hash, reason: 'not now' }, 'Bea');
    log.passTo(minuteMs);
    const waiting = log.propose(without('Cid'), ['Ada', 'Bea']).hash;
    log.passTo(2 * minuteMs);
    const copy = ControlState.decode(log.state.encode(), log.cluster.genesis, log.cluster.id);
    expect(copy.proposals.all()).toEqual(log.state.proposals.all());
    expect(copy.proposals.of(waiting)?.state).toBe('waiting');
    expect(copy.hash()).toEqual(log.state.hash());
  });
});

/** By operators together; longer is no shortening, so it holds at once. */
function setDelay(destructiveDelay: string): void {
  const { version } = log.state.policy.current;
  const document = encodePolicy({ destructiveDelay });
  log.signed(policy({ version: version + 1, base: version, document }), 'Ada', 'Bea');
  log.passTo(0);
  log.passTo(4 * dayMs);
}

describe('what cannot be taken back', () => {
  test('waits, then takes effect with the first word on time that ends the wait', () => {
    const { hash } = log.propose(without('Cid'));
    expect(log.approve(hash, 'Bea')).toBe('applied');
    expect(log.proposal(hash).state).toBe('waiting');
    log.passTo(0);
    log.passTo(72 * hourMs - 1);
    expect(log.state.operators.current.operators).toHaveLength(3);
    log.passTo(72 * hourMs);
    expect(log.state.operators.current.operators.map(({ name }) => name)).toEqual(['Ada', 'Bea']);
    expect(log.proposal(hash).state).toBe('done');
  });

  test('waits as well when all have signed it together', () => {
    expect(log.signed(without('Cid'), 'Ada', 'Bea')).toBe('applied');
    expect(log.state.operators.current.version).toBe(1);
    expect(log.state.proposals.underWay()).toMatchObject([{ state: 'waiting' }]);
  });

  test('one operator of three gets nowhere', () => {
    expect(log.signed(without('Cid'), 'Ada')).toBe('2 of the old operators must sign this, 1 did');
    const { hash } = log.propose(without('Cid'));
    log.passTo(0);
    log.passTo(100 * hourMs);
    expect(log.proposal(hash).state).toBe('expired');
    expect(log.state.operators.current.version).toBe(1);
    expect(log.state.findings.voids.at(-1)?.kind).toBe('operators');
  });

  test('one auditor stops it within the delay', () => {
    makeAuditor();
    const { hash } = log.propose(without('Cid'), ['Ada', 'Bea']);
    expect(log.by(turku, { kind: 'veto', hash, reason: 'no' })).toBe(
      '"turku-host" has not the role auditor',
    );
    expect(log.by(bergen, { kind: 'veto', hash, reason: 'Cid is on holiday' })).toBe('applied');
    expect(log.proposal(hash)).toMatchObject({ state: 'vetoed', endedBy: bergen.agentKey });
    log.passTo(0);
    log.passTo(100 * hourMs);
    expect(log.state.operators.current.version).toBe(1);
  });

  test('one operator stops it, too, but not his own removal', () => {
    const { hash } = log.propose(without('Cid'), ['Ada', 'Bea']);
    expect(log.signed({ kind: 'veto', hash, reason: 'I stay' }, 'Cid')).toBe(
      'nobody stops what is against themselves',
    );
    expect(log.signed({ kind: 'veto', hash, reason: 'a mistake' }, 'Ada')).toBe('applied');
  });

  test('a veto stops only what waits', () => {
    const { hash } = log.propose(policy());
    expect(log.signed({ kind: 'veto', hash, reason: 'no' }, 'Bea')).toContain(
      'only what waits can be stopped',
    );
  });

  test('the auditor who shall go does not keep itself in office, and goes after the delay', () => {
    makeAuditor();
    const { hash } = log.propose(
      { kind: 'roles', agent: bergen.agentKey, add: [], remove: ['auditor'] },
      ['Ada', 'Bea'],
    );
    expect(log.proposal(hash).state).toBe('waiting');
    expect(log.by(bergen, { kind: 'veto', hash, reason: 'I stay' })).toContain(
      'against themselves',
    );
    log.passTo(0);
    log.passTo(72 * hourMs);
    expect(log.state.members.of(bergen.agentKey)?.roles).not.toContain('auditor');
  });

  test('a policy that shortens the delays waits for the old one', () => {
    const shorter = policy({ document: encodePolicy({ destructiveDelay: '1h' }) });
    log.signed(shorter, 'Ada', 'Bea');
    expect(log.state.policy.current.version).toBe(1);
    log.passTo(0);
    log.passTo(72 * hourMs);
    expect(log.state.policy.current.destructiveDelayMs).toBe(hourMs);
  });

  test('a longer delay holds at once', () => {
    const longer = policy({ document: encodePolicy({ destructiveDelay: '30d' }) });
    expect(log.signed(longer, 'Ada', 'Bea')).toBe('applied');
    expect(log.state.policy.current.destructiveDelayMs).toBe(30 * dayMs);
  });

  test('the same command cannot come again by another way', () => {
    const { hash } = log.propose(without('Cid'), ['Ada', 'Bea']);
    const { command } = log.proposal(hash);
    const again = log.seal(command.body, [], { id: command.id });
    expect(log.append(again).outcome).toBe('void');
    log.signed({ kind: 'veto', hash, reason: 'no' }, 'Ada');
    expect(log.state.isKnown(command.id)).toBe(true);
  });

  function makeAuditor(): void {
    const roles = { kind: 'roles', agent: bergen.agentKey, add: ['auditor'], remove: [] } as const;
    expect(log.signed(roles, 'Ada', 'Bea')).toBe('applied');
  }
});
