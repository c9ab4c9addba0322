import { expect, test } from 'vitest';
import type { PeerKey } from '../../../../src/core/ids.ts';
import { encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import { Failover, type SiteAlert } from '../../../../src/services/plan/failover.ts';
import { SiteWatch } from '../../../../src/services/plan/site-watch.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { applied, dataset, PlanCast, planOf } from '../../../support/plan-cast.ts';

type Action = 'alert' | 'repair' | 'restore';

/** Every agent watches the others. Sites that are away are reached by nobody. */
class Scene {
  readonly cast = new PlanCast();
  readonly away = new Set<string>();
  readonly alerts: SiteAlert[] = [];
  readonly log = collectingLog();
  readonly watches: Map<string, SiteWatch>;
  readonly failover: Failover;

  constructor() {
    const { clock, actors } = this.cast;
    const siteOf = (peer: PeerKey): string =>
      actors.find(({ agent }) => agent.peerKey === peer)?.agent.descriptor.site ?? '';
    this.watches = new Map(
      actors.map(({ agent, control }) => {
        const { site } = agent.descriptor;
        const isReachable = (peer: PeerKey): boolean =>
          !this.away.has(site) && !this.away.has(siteOf(peer)) && siteOf(peer) !== site;
        return [site, new SiteWatch({ control, clock, peers: { isReachable }, log: this.log })];
      }),
    );
    const { control } = this.cast.actor('cairo');
    const onAlert = (alert: SiteAlert): number => this.alerts.push(alert);
    this.failover = new Failover({ control, clock, log: this.log, onAlert });
    this.cast.lead('cairo');
  }

  policy(action: Action, rules: { plan?: ReturnType<PlanCast['submit']>['plan'] }[] = []): void {
    const { version } = this.cast.log.state.policy.current;
    this.cast.log.say({
      kind: 'policy',
      ...{ version: version + 1, base: version },
      document: encodePolicy({
        siteLostAfter: '60s',
        failover: { action, standby: rules.map((rule) => ({ dataset, site: 'rome', ...rule })) },
      }),
    });
  }

  /** Everybody who is not away looks, every five seconds. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5000) {
      await this.cast.clock.advance(5000);
      for (const [site, watch] of this.watches) if (!this.away.has(site)) await watch.look();
      this.failover.look();
    }
  }

  get lost(): readonly string[] {
    return this.cast.log.state.sites.lost();
  }
}

test('a site that is connected is not reported', async () => {
  const scene = new Scene();
  scene.policy('alert');
  await scene.pass(300_000);
  expect(applied(scene.cast, 'site-report')).toEqual([]);
  expect(scene.alerts).toEqual([]);
});

test('a site that nobody sees any more is lost after the time that the policy gives, not before', async () => {
  const scene = new Scene();
  scene.policy('alert');
  await scene.pass(10_000);
  scene.away.add('oslo');
  await scene.pass(55_000);
  expect(scene.lost).toEqual([]);
  await scene.pass(10_000);
  expect(scene.lost).toEqual(['oslo']);
  await scene.pass(100_000);
  // Each of the two has said it once.
  expect(applied(scene.cast, 'site-report')).toHaveLength(2);
  expect(scene.alerts).toEqual([
    { site: 'oslo', wanted: 'attention', reason: 'the policy asks for an alert alone' },
  ]);
});

test('a voter that was just started gives a site time to connect', async () => {
  const scene = new Scene();
  scene.policy('alert');
  scene.away.add('oslo');
  await scene.pass(55_000);
  expect(applied(scene.cast, 'site-report')).toEqual([]);
  await scene.pass(15_000);
  expect(scene.lost).toEqual(['oslo']);
});

test('a site that is back is there again, by its own word, and may be lost another time', async () => {
  const scene = new Scene();
  scene.policy('alert');
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(70_000);
  expect(scene.lost).toEqual(['oslo']);
  scene.away.delete('oslo');
  await scene.pass(10_000);
  expect(scene.lost).toEqual([]);
  scene.away.add('oslo');
  await scene.pass(70_000);
  expect(scene.lost).toEqual(['oslo']);
  expect(scene.alerts).toHaveLength(2);
});

test('voters that see a site again say so, also when it does not', async () => {
  const scene = new Scene();
  scene.policy('alert');
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(70_000);
  scene.away.delete('oslo');
  scene.watches.delete('oslo');
  await scene.pass(10_000);
  expect(scene.lost).toEqual([]);
  const said = applied(scene.cast, 'site-report').map(({ state }) => state);
  expect(said).toEqual(['lost', 'lost', 'seen', 'seen']);
});

test('one voter that has lost its way makes no site lost', async () => {
  const scene = new Scene();
  scene.policy('alert');
  await scene.pass(5000);
  scene.watches.delete('cairo');
  scene.away.add('oslo');
  await scene.pass(120_000);
  expect(scene.lost).toEqual([]);
});

test('a member that does not vote has no say in it', async () => {
  const scene = new Scene();
  const voters = ['oslo', 'cairo'].map((site) => scene.cast.actor(site).agent.agentKey);
  scene.cast.log.vote(voters);
  scene.policy('alert');
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(70_000);
  const authors = applied(scene.cast, 'site-report');
  expect(authors).toHaveLength(1);
});

test('the policy says what people are told, and a leader tells it once', async () => {
  for (const [action, wanted] of [
    ['repair', 'repair'],
    ['restore', 'attention'],
  ] as const) {
    const scene = new Scene();
    scene.policy(action);
    await scene.pass(5000);
    scene.away.add('oslo');
    await scene.pass(120_000);
    expect(scene.alerts.map((alert) => alert.wanted)).toEqual([wanted]);
    expect(scene.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  }
});

test('who does not lead tells nobody, and tells again when it leads', async () => {
  const scene = new Scene();
  scene.policy('alert');
  scene.cast.lead('rome');
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(120_000);
  expect(scene.alerts).toEqual([]);
  scene.cast.lead('cairo');
  await scene.pass(10_000);
  expect(scene.alerts).toHaveLength(1);
});

test('a standby plan that cannot begin is an alert that says why', async () => {
  const scene = new Scene();
  const { plan, run } = scene.cast.submit(planOf(scene.cast));
  scene.policy('restore', [{ plan: 'f'.repeat(64) as typeof plan }]);
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(70_000);
  expect(scene.alerts.at(-1)).toMatchObject({ site: 'oslo', wanted: 'restore' });
  expect(scene.alerts.at(-1)?.reason).toContain('was not submitted');
  scene.away.clear();
  await scene.pass(10_000);
  scene.cast.log.say({ kind: 'plan-decision', plan, run, decision: 'cancel' });
  scene.policy('restore', [{ plan }]);
  scene.away.add('oslo');
  await scene.pass(70_000);
  expect(scene.alerts.at(-1)?.reason).toContain('is cancelled: submit the plan again');
});

test('a standby plan that begins is no alert', async () => {
  const scene = new Scene();
  const { plan } = scene.cast.submit(planOf(scene.cast));
  scene.policy('restore', [{ plan }]);
  await scene.pass(5000);
  scene.away.add('oslo');
  await scene.pass(70_000);
  expect(scene.alerts).toEqual([]);
  const told = scene.log.lines.map(({ message }) => message);
  expect(told).toContain('a site is lost: its standby plan begins');
});
