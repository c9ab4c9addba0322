import { beforeEach, expect, test } from 'vitest';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import type { SampleAgent } from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, turku } from './sample-control.ts';

const forMs = 60_000;
const renewal = { kind: 'lease', dataset: dbId, incarnation: 0, forMs } as const;
let log: SampleControl;

function policy(lease: string | undefined): string {
  const { version } = log.state.policy.current;
  const rule = { dataset: dbId, site: 'turku', ...(lease === undefined ? {} : { lease }) };
  const document = encodePolicy({ failover: { standby: [rule] } });
  return log.byOperator({ kind: 'policy', version: version + 1, base: version, document });
}

function lapse(voter: SampleAgent, index: number): string {
  return log.by(voter, {
    kind: 'lease-lapse',
    dataset: dbId,
    incarnation: 0,
    generation: 1,
    index,
  });
}

beforeEach(() => {
  log = SampleControl.full();
  log.start();
  policy('60s');
});

test('the holder alone renews, for as long as the policy says', () => {
  expect(log.by(bergen, renewal)).toContain('does not hold the live copy');
  expect(log.by(log.oslo, { ...renewal, forMs: 30_000 })).toContain('a lease of 60000 ms');
  expect(log.by(log.oslo, { ...renewal, incarnation: 1 })).toBe('incarnation 0 is current');
  expect(log.by(log.oslo, renewal)).toBe('applied');
  expect(log.state.leases.of(dbId)).toMatchObject({ holder: log.oslo.agentKey, forMs });
  policy(undefined);
  expect(log.by(log.oslo, renewal)).toContain('gives this dataset no lease');
});

test('a majority of the voters that has seen it run out makes the copy count as off', () => {
  log.by(log.oslo, renewal);
  const { index } = log;
  expect(lapse(riga, index)).toMatch(/voter/);
  expect(lapse(bergen, index)).toBe('applied');
  expect(lapse(bergen, index)).toBe('this voter has said so already');
  expect(log.db().state).toBe('live');
  expect(lapse(turku, index)).toBe('applied');
  expect(log.db().state).toBe('off');
  expect(log.state.mayWrite(log.oslo.agentKey, dbId).may).toBe(false);
  expect(log.by(log.oslo, renewal)).toContain('does not hold the live copy');
  expect(log.state.leases.of(dbId)).toBeUndefined();
});

test('a renewal takes back what voters have said of the one before', () => {
  log.by(log.oslo, renewal);
  const { index } = log;
  lapse(bergen, index);
  log.by(log.oslo, renewal);
  expect(lapse(turku, index)).toBe('the lease was renewed meanwhile');
  expect(lapse(turku, log.index - 1)).toBe('applied');
  expect(log.db().state).toBe('live');
});

test('a lease that is given up proves nothing any more', () => {
  expect(log.by(log.oslo, { ...renewal, forMs: 0 })).toBe('it holds no lease');
  log.by(log.oslo, renewal);
  expect(log.by(log.oslo, { ...renewal, forMs: 0 })).toBe('applied');
  expect(lapse(bergen, log.index - 1)).toBe('no live copy runs under such a lease');
});

test('an image has it', () => {
  log.by(log.oslo, renewal);
  lapse(bergen, log.index);
  const { genesis, cluster } = log.state;
  const copy = ControlState.decode(log.state.encode(), genesis, cluster);
  expect(copy.leases.all()).toEqual(log.state.leases.all());
  expect(copy.leases.all()[0]?.lapsed).toEqual([bergen.agentKey]);
});
