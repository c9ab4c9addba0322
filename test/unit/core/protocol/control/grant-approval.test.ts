import { beforeEach, describe, expect, test } from 'vitest';
import type { BodyOf, PlanHash } from '../../../../../src/core/format/control-records.ts';
import type { RestoreRule } from '../../../../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import { encodePlan, planHash } from '../../../../../src/core/policy/plan-text.ts';
import { signaturesNeeded } from '../../../../../src/core/protocol/control/grant-approval.ts';
import { bergen } from './sample-control.ts';
import { OperatorsControl } from './sample-operators.ts';

let log: OperatorsControl;
let hash: PlanHash;

/** Two of three operators have begun a plan of the dataset `db` under this rule. */
function begin(restore?: RestoreRule): void {
  log = OperatorsControl.begin();
  if (restore !== undefined) {
    const document = encodePolicy({ datasets: [{ match: 'd*', restore }] });
    const policy = { kind: 'policy', version: 2, base: 1, document } as const;
    expect(log.signed(policy, 'Ada', 'Bea')).toBe('applied');
  }
  const bytes = encodePlan(log.plan());
  hash = planHash(bytes);
  expect(log.signed({ kind: 'plan', plan: bytes, hash }, 'Ada', 'Bea')).toBe('applied');
}

function grant(): BodyOf<'grant'> {
  const sealed = { kind: 'inline', bytes: Uint8Array.of(1) } as const;
  return { kind: 'grant', plan: hash, run: 1, agent: bergen.agentKey, sealed, lastsMs: 86_400_000 };
}

function isGranted(): boolean {
  return log.state.plans.runOf({ plan: hash, run: 1 })?.run.grants.has(bergen.agentKey) === true;
}

beforeEach(() => begin());

describe('who approves a restore', () => {
  test('is any one operator where the policy says nothing', () => {
    expect(log.signed(grant(), 'Cid')).toBe('applied');
    expect(isGranted()).toBe(true);
  });

  test('is as many of those as the policy names', () => {
    begin({ approvals: 2, by: ['Bea', 'Cid'] });
    const short = '2 of Bea, Cid must approve a restore of dataset db, 1 did';
    expect(log.signed(grant(), 'Ada', 'Cid')).toBe(short);
    expect(log.signed(grant(), 'Bea')).toBe(short);
    expect(isGranted()).toBe(false);
    expect(log.signed(grant(), 'Bea', 'Cid')).toBe('applied');
    expect(isGranted()).toBe(true);
    expect(signaturesNeeded(log.state, grant())).toBe(2);
  });

  test('may sign one after the other, at different places', () => {
    begin({ approvals: 3 });
    const { hash: proposal, said } = log.propose(grant(), ['Ada']);
    expect(said).toBe('applied');
    log.approve(proposal, 'Bea');
    expect(isGranted()).toBe(false);
    log.approve(proposal, 'Cid');
    expect(isGranted()).toBe(true);
    expect(log.proposal(proposal).state).toBe('done');
  });

  test('is never nobody, whatever the policy says', () => {
    begin({ approvals: 1, by: ['Bea'] });
    expect(log.by(bergen, grant())).toBe('an operator must sign this');
    expect(log.signed(grant(), 'Ada')).toMatch('1 of Bea must approve');
  });
});
