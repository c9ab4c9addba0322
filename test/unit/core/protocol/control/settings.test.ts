import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../../../src/base/bytes.ts';
import { dayMs, minuteMs } from '../../../../../src/base/units.ts';
import type { BodyOf } from '../../../../../src/core/format/control-records.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import { controlBounds } from '../../../../../src/core/protocol/control/control-bounds.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { Roster } from '../../../../../src/core/protocol/roster.ts';
import { SampleCluster, secretOf } from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

describe('the policy of the genesis', () => {
  const document = encodePolicy({
    destructiveDelay: '3s',
    datasets: [{ match: 'db', regions: ['eu-*'] }],
  });
  const cluster = new SampleCluster('founded', {
    policy: { version: 1, surviveSites: 1, document },
  });

  test('holds in the log before anybody has signed another', () => {
    const { policy } = new ControlState(cluster.genesis, cluster.id);
    expect(policy.current).toMatchObject({ version: 1, destructiveDelayMs: 3000 });
    expect(policy.ruleFor('db').regions).toEqual(['eu-*']);
  });

  test('binds members that know no log yet', () => {
    const roster = new Roster(cluster.genesis, cluster.id);
    expect(roster.ruleFor('db').regions).toEqual(['eu-*']);
  });
});

describe('the layout', () => {
  const layout = (change: Partial<BodyOf<'layout'>> = {}): BodyOf<'layout'> => ({
    kind: 'layout',
    version: 2,
    base: 1,
    mode: 'pinned',
    voters: [log.oslo.agentKey, bergen.agentKey, turku.agentKey],
    ...change,
  });

  test('it is chosen by the leader until operators pin it', () => {
    expect(log.state.layout.current).toMatchObject({ version: 1, mode: 'auto' });
    expect(log.byOperator(layout())).toBe('applied');
    expect(log.state.layout.current).toMatchObject({ version: 2, mode: 'pinned' });
    expect(log.state.layout.history.map(({ authors }) => authors)).toEqual([
      [],
      [log.cluster.operatorKey],
    ]);
  });

  test('a version that was made on top of an older one is void', () => {
    log.byOperator(layout());
    expect(log.byOperator(layout())).toBe('it replaces version 1 by 2, but 2 is current');
    expect(log.byOperator(layout({ version: 4, base: 2 }))).toContain('but 2 is current');
    expect(log.byOperator(layout({ version: 3, base: 2 }))).toBe('applied');
  });

  test('only members with a vote may be pinned', () => {
    expect(log.byOperator(layout({ voters: [riga.agentKey] }))).toBe(
      '"riga-host" has neither the role voter nor witness',
    );
    const stranger = log.cluster.operatorKey;
    expect(log.byOperator(layout({ voters: [stranger] }))).toBe(
      `${stranger.slice(0, 8)} is no member`,
    );
  });

  test('members cannot set it', () => {
    expect(log.by(bergen, layout())).toBe('1 operators must sign this, 0 did');
  });

  test('a pinned layout names voters, each once, at most seven', () => {
    const seal = (voters: BodyOf<'layout'>['voters']) => () =>
      log.seal(layout({ voters }), [log.operator]);
    expect(seal([])).toThrow('names its voters');
    expect(seal([bergen.agentKey, bergen.agentKey])).toThrow('one agent twice');
    const eight = Array.from({ length: 8 }, (_, i) =>
      idOf<typeof bergen.agentKey>(secretOf(`${i}`)),
    );
    expect(seal(eight)).toThrow('count of voters');
  });

  test('old versions are forgotten in the end', () => {
    for (let base = 1; base <= controlBounds.historyMax + 1; base++) {
      log.byOperator(layout({ version: base + 1, base, mode: 'auto', voters: [] }));
    }
    expect(log.state.layout.history).toHaveLength(controlBounds.historyMax);
    expect(log.state.layout.current.version).toBe(controlBounds.historyMax + 2);
  });
});

describe('the policy', () => {
  const policy = (change: Partial<BodyOf<'policy'>> = {}): BodyOf<'policy'> => ({
    kind: 'policy',
    version: 2,
    base: 1,
    document: encodePolicy({
      survive: { sites: 2 },
      failover: { action: 'restore', standby: [{ dataset: dbId, site: 'bergen' }] },
      datasets: [{ match: 'db-*', retention: { keepLast: 3 } }],
    }),
    ...change,
  });

  test('it begins as the genesis says, and does nothing by itself', () => {
    expect(log.state.policy.current).toEqual({
      version: 1,
      base: 0,
      surviveSites: 1,
      document: { survive: { sites: 1 } },
      failover: { siteLostAfterMs: 15 * minuteMs, action: 'alert', rules: [] },
      decreeNoticeMs: 30 * minuteMs,
      destructiveDelayMs: 72 * 60 * minuteMs,
      expiry: { vetoMs: 7 * dayMs, trashMs: 7 * dayMs },
      reads: { ungrantedPerDay: 1024 ** 3, repairPerDay: 1024 ** 4 },
      rules: [],
      writers: [],
    });
  });

  test('operators replace the version that they have seen', () => {
    expect(log.byOperator(policy())).toBe('applied');
    expect(log.byOperator(policy())).toBe('it replaces version 1 by 2, but 2 is current');
    expect(log.state.policy.current.failover.action).toBe('restore');
    expect(log.state.policy.history).toHaveLength(2);
  });

  test('an agent cannot change it', () => {
    expect(log.by(log.oslo, policy())).toBe('1 operators must sign this, 0 did');
  });

  test('a document that says something wrong is void, with the key that is wrong', () => {
    const document = utf8('{"datasets":[{"lock":{"for":"30","mode":"governance"},"match":"*"}]}');
    expect(log.byOperator(policy({ document }))).toContain('datasets[0].lock.for: must be');
    expect(log.byOperator(policy({ document: utf8('{ }') }))).toContain('not in canonical form');
    expect(log.state.policy.current.version).toBe(1);
  });

  test('it tells the rule of a dataset, survives an image, and keeps what was signed', () => {
    const envelope = log.seal(policy(), [log.operator]);
    log.append(envelope);
    const copy = ControlState.decode(log.state.encode(), log.cluster.genesis, log.cluster.id);
    expect(copy.policy.ruleFor('db-orders').retention).toEqual({ keepLast: 3 });
    expect(copy.policy.ruleFor('web')).toEqual({ match: '*' });
    expect(copy.policy.current).toEqual(log.state.policy.current);
    expect(copy.policy.history.at(-1)?.evidence).toEqual([envelope]);
  });
});

describe('sites', () => {
  const report = (site: string, state: 'lost' | 'seen') =>
    ({ kind: 'site-report', site, state }) as const;

  test('a site is lost when a majority of the voters elsewhere says so', () => {
    expect(log.by(bergen, report('oslo', 'lost'))).toBe('applied');
    expect(log.state.sites.lost()).toEqual([]);
    expect(log.by(turku, report('oslo', 'lost'))).toBe('applied');
    expect(log.state.sites.lost()).toEqual(['oslo']);
    expect(log.state.sites.of('oslo')?.reports).toHaveLength(2);
  });

  test('one word of its own agent ends the loss, and what was said before counts no more', () => {
    for (const agent of [bergen, turku]) log.by(agent, report('oslo', 'lost'));
    expect(log.by(log.oslo, report('oslo', 'seen'))).toBe('applied');
    expect(log.state.sites.lost()).toEqual([]);
    log.by(bergen, report('oslo', 'lost'));
    expect(log.state.sites.lost()).toEqual([]);
  });

  test('a majority that sees it ends the loss, too', () => {
    for (const agent of [bergen, turku]) log.by(agent, report('oslo', 'lost'));
    log.by(bergen, report('oslo', 'seen'));
    expect(log.state.sites.lost()).toEqual(['oslo']);
    log.by(turku, report('oslo', 'seen'));
    expect(log.state.sites.lost()).toEqual([]);
  });

  test('an agent does not miss its own site, and one that does not vote misses none', () => {
    expect(log.by(bergen, report('bergen', 'lost'))).toBe('an agent cannot miss its own site');
    expect(log.by(riga, report('oslo', 'lost'))).toContain('neither a voter nor at this site');
    expect(log.by(bergen, report('nowhere', 'lost'))).toBe('there is no site "nowhere"');
  });

  test('a report that repeats the last one is void', () => {
    log.by(bergen, report('oslo', 'lost'));
    expect(log.by(bergen, report('oslo', 'lost'))).toBe('"bergen-host" has said so already');
  });
});
