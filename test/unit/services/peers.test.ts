import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../../src/core/errors.ts';
import { encodeResponse } from '../../../src/core/format/exchange.ts';
import { clusterStream } from '../../../src/core/format/statement.ts';
import { limits } from '../../../src/core/limits.ts';
import { LoopHub } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type SampleAgent, SampleCluster, sampleAgent } from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');

let hub: LoopHub;
let cluster: SampleCluster;
let clock: ManualClock;
let hosts: SampleHost[];
let oslo: SampleHost;
let second: SampleHost;

beforeEach(async () => {
  hub = new LoopHub();
  cluster = new SampleCluster();
  clock = new ManualClock();
  hosts = [];
  const envelopes = cluster.admit(bergen);
  oslo = await host(cluster.founder, envelopes);
  second = await host(bergen, envelopes);
});

afterEach(async () => {
  for (const one of hosts) await one[Symbol.asyncDispose]();
});

async function host(agent: SampleAgent, envelopes: readonly Uint8Array[]): Promise<SampleHost> {
  const made = await sampleHost({ hub, cluster, clock, agent }, { envelopes });
  hosts.push(made);
  return made;
}

async function startAll(): Promise<void> {
  for (const one of hosts) one.start();
  await oslo.network.connect(second.network.self, second.network.addresses());
  await clock.advance(1000);
}

describe('asking', () => {
  test('gives the value of the answer', async () => {
    await startAll();
    const { heads } = await oslo.peers.ask(second.network.self, { case: 'heads', value: {} });
    expect(heads).toHaveLength(second.ledger.heads().length);
  });

  test("gives the peer's failure as an error of the same code", async () => {
    await startAll();
    const hashes = [new Uint8Array(5)];
    const asked = oslo.peers.ask(second.network.self, { case: 'facts', value: { hashes } });
    expect(await asked.catch(codeOf)).toBe('bad-encoding');
  });

  test('refuses an answer of another kind', async () => {
    await startAll();
    const wrong = encodeResponse({ body: { case: 'offer', value: {} } });
    second.network.serveCalls(async () => wrong);
    const asked = oslo.peers.ask(second.network.self, { case: 'heads', value: {} });
    expect(await asked.catch(codeOf)).toBe('bad-encoding');
  });

  test('a peer that is not there is unreachable', async () => {
    const asked = oslo.peers.ask(second.network.self, { case: 'heads', value: {} });
    expect(await asked.catch(codeOf)).toBe('peer-unreachable');
  });
});

describe('what is known of members', () => {
  test('comes from greetings and connections', async () => {
    await startAll();
    const [north, self] = oslo.peers.report();
    expect(north).toMatchObject({
      state: 'connected',
      path: 'direct',
      freeBytes: 1_000_000,
      shards: 3,
      shardBytes: 4096,
      clockSkewMs: 0,
      version: '1.0.0',
    });
    expect(self).toMatchObject({ state: 'self', path: '-' });
    expect(oslo.peers.reachable().map(({ name }) => name)).toEqual(['bergen-host']);
    expect(oslo.peers.freeBytes(second.network.self)).toBe(1_000_000);
  });

  test('shows how far the clock of a peer is off', async () => {
    const answer = { genesis: cluster.genesisBytes, version: '2', timeMs: 0n };
    await startAll();
    second.network.serveCalls(async () => {
      await clock.sleep(200);
      const timeMs = BigInt(clock.nowMs() + 60_000);
      return encodeResponse({ body: { case: 'hello', value: { ...answer, timeMs } } });
    });
    const greeting = oslo.peers.greet(second.network.self);
    await clock.advance(200);
    await greeting;
    // The peer read its clock at the end of the round trip, not in its middle.
    expect(oslo.peers.report()[0]?.clockSkewMs).toBe(60_100);
  });

  test('remembers when a lost peer was last seen', async () => {
    await startAll();
    const seenMs = clock.nowMs();
    hub.cut(oslo.network.self, second.network.self);
    await clock.advance(50_000);
    expect(oslo.peers.report()[0]).toMatchObject({ state: 'unreachable', lastSeenMs: seenMs });
    expect(oslo.peers.isReachable(second.network.self)).toBe(false);
  });
});

describe('following the roster', () => {
  test('this host says where it is, once', async () => {
    await startAll();
    await clock.advance(20 * limits.syncPeriodMs);
    const self = oslo.ledger.roster.member(cluster.founder.agentKey);
    expect(self).toMatchObject({ addresses: oslo.network.addresses(), version: '1.0.0' });
    expect(oslo.ledger.head(cluster.founder.agentKey, clusterStream)?.sequence).toBe(2);
    expect(second.ledger.roster.member(cluster.founder.agentKey)?.addresses).toEqual(
      oslo.network.addresses(),
    );
  });

  test('an address that keeps changing is said at most once a minute', async () => {
    let count = 0;
    oslo.network.addresses = () => [
      `/memory/${oslo.network.self.slice(0, 16)}`,
      `/memory/${count++}`,
    ];
    await startAll();
    const before = oslo.ledger.head(cluster.founder.agentKey, clusterStream)?.sequence ?? 0;
    await clock.advance(10 * 60_000);
    const after = oslo.ledger.head(cluster.founder.agentKey, clusterStream)?.sequence ?? 0;
    expect(after - before).toBeLessThanOrEqual(10);
    expect(after - before).toBeGreaterThan(5);
  });

  test('members are dialled at the addresses that they have said', async () => {
    await startAll();
    hub.cut(oslo.network.self, second.network.self);
    await hub.heal();
    expect(oslo.peers.isReachable(second.network.self)).toBe(true);
  });

  test('a connection is cut when its invite has ended', async () => {
    const invite = cluster.sign(cluster.operatorSecret, cluster.invite(turku));
    await oslo.ledger.ingest(invite.envelope);
    await startAll();
    if (invite.statement.body.kind !== 'invite') throw new Error('an invite was signed');
    const { inviteKey, notAfterMs } = invite.statement.body;
    const joiner = hub.open(inviteKey, () => true);
    await joiner.connect(oslo.network.self, oslo.network.addresses());
    expect(joiner.connections()).toHaveLength(1);
    await clock.advance(notAfterMs - clock.nowMs() + 2 * limits.syncPeriodMs);
    expect(joiner.connections()).toHaveLength(0);
  });
});
