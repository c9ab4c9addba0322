import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../../../src/core/errors.ts';
import { evidenceOf } from '../../../../src/core/protocol/control/proposal.ts';
import { openStatement } from '../../../../src/core/protocol/opened-statement.ts';
import { Roster } from '../../../../src/core/protocol/roster.ts';
import { sampleAgent } from '../../../support/sample-cluster.ts';
import { bergen } from './control/sample-control.ts';
import { OperatorsControl, type Person } from './control/sample-operators.ts';

/** Two of three operators must sign, each at their own place. */
let log: OperatorsControl;
let roster: Roster;
const lund = sampleAgent('lund');

beforeEach(() => {
  log = OperatorsControl.begin();
  roster = new Roster(log.cluster.genesis, log.cluster.id);
});

/** The proposal of an invite for lund, and the statement in which its issuer tells of it. */
function invited(...names: Person[]) {
  const { hash, said } = log.propose(log.cluster.invite(lund), ['Ada']);
  expect(said).toBe('applied');
  for (const name of names) expect(log.approve(hash, name)).toBe('applied');
  const proposal = log.proposal(hash);
  const body = { kind: 'proved-invite', evidence: evidenceOf(proposal) } as const;
  return { proposal, envelope: log.cluster.sign(log.oslo.statementSecret, body).envelope };
}

function take(envelope: Uint8Array): string {
  const { statement, signers, hash } = openStatement(envelope, log.cluster.id);
  try {
    roster.apply(statement, signers, hash);
    return 'taken';
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

function admission(): Uint8Array {
  const { cluster, oslo } = log;
  return cluster.sign(oslo.statementSecret, cluster.admission(lund)).envelope;
}

describe('an invite that operators sign one after the other', () => {
  test('admits once the threshold has signed, in statements and in the log', () => {
    const { proposal, envelope } = invited('Bea');
    expect(proposal.state).toBe('done');
    expect(take(envelope)).toBe('taken');
    const admitting = admission();
    expect(take(admitting)).toBe('taken');
    expect(roster.member(lund.agentKey)?.site).toBe('lund');
    const admit = { kind: 'admit', invite: envelope, admission: admitting } as const;
    expect(log.by(bergen, admit)).toBe('applied');
    expect(log.by(bergen, admit)).toContain('known already');
  });

  test('admits nobody before', () => {
    const { proposal, envelope } = invited();
    expect(proposal.state).toBe('open');
    expect(take(envelope)).toBe('not-permitted');
    const admit = { kind: 'admit', invite: envelope, admission: admission() } as const;
    expect(log.by(bergen, admit)).toContain('not signed by enough operators');
  });

  test('is told of by the member that redeems it, and by no other', () => {
    const { proposal } = invited('Bea');
    const body = { kind: 'proved-invite', evidence: evidenceOf(proposal) } as const;
    roster = new Roster(log.cluster.genesis, log.cluster.id);
    for (const one of log.cluster.admit(bergen)) take(one);
    const told = log.cluster.sign(bergen.statementSecret, body, { after: undefined }).envelope;
    expect(take(told)).not.toBe('taken');
  });

  test('needs no log when all sign at once: there it would be lost', () => {
    const said = log.signed(log.cluster.invite(lund), 'Ada', 'Bea');
    expect(said).toContain('all sign at once');
  });

  test('is not proposed when it lives longer than a day, or names no member', () => {
    const long = log.cluster.invite(lund, { notAfterMs: Number.MAX_SAFE_INTEGER });
    expect(log.propose(long).said).toContain('within a day');
    const stranger = log.cluster.invite(lund, { issuer: sampleAgent('nowhere').agentKey });
    expect(log.propose(stranger).said).toContain('is no member');
  });

  test('admits nobody any more when one of its signers has ceased to be an operator', () => {
    const { envelope } = invited('Bea');
    const { operators } = log.state.operators.current;
    const left = operators.filter(({ name }) => name !== 'Bea');
    const next = { kind: 'operators', version: 2, base: 1, threshold: 2, operators: left } as const;
    expect(log.signed(next, 'Ada', 'Cid')).toBe('applied');
    log.passTo(0);
    log.passTo(log.state.policy.current.destructiveDelayMs + 1000);
    expect(log.state.operators.current.version).toBe(2);
    const admit = { kind: 'admit', invite: envelope, admission: admission() } as const;
    expect(log.by(bergen, admit)).toContain('not signed by enough operators');
  });
});
