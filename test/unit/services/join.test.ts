import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { encodeResponse } from '../../../src/core/format/exchange.ts';
import { inviteSecret } from '../../../src/core/format/invite-code.ts';
import type { InviteCode } from '../../../src/core/format/records.ts';
import { clusterStream } from '../../../src/core/format/statement.ts';
import { limits } from '../../../src/core/limits.ts';
import { type Joined, joinCluster, registerJoin } from '../../../src/services/join.ts';
import { Ledger } from '../../../src/services/ledger.ts';
import { LoopHub } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStatementLog } from '../../support/memory-statement-log.ts';
import { type SampleAgent, SampleCluster, sampleAgent } from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');

let hub: LoopHub;
let cluster: SampleCluster;
let clock: ManualClock;
let oslo: SampleHost;
let hosts: SampleHost[];

beforeEach(async () => {
  hub = new LoopHub();
  cluster = new SampleCluster();
  clock = new ManualClock();
  hosts = [];
  oslo = await host(cluster.founder);
});

afterEach(async () => {
  for (const one of hosts) await one[Symbol.asyncDispose]();
});

async function host(
  agent: SampleAgent,
  envelopes: readonly Uint8Array[] = [],
): Promise<SampleHost> {
  const made = await sampleHost({ hub, cluster, clock, agent }, { envelopes });
  registerJoin(made.serve, { ledger: made.ledger, network: made.network, clock });
  made.start();
  hosts.push(made);
  await clock.advance(limits.syncPeriodMs);
  return made;
}

/** An operator invites this agent at the issuer, and hands over the code. */
async function invite(agent: SampleAgent, issuer = oslo): Promise<InviteCode> {
  const body = cluster.invite(agent, {
    issuer: issuer.agent.agentKey,
    notAfterMs: clock.nowMs() + 3_600_000,
  });
  await issuer.ledger.appendSigned(
    cluster.sign(cluster.operatorSecret, body, { timeMs: clock.nowMs() }).envelope,
  );
  const { site, region, roles, notAfterMs } = body;
  const contacts = [{ peer: issuer.network.self, multiaddrs: issuer.network.addresses() }];
  const secret = cluster.codeSecret(agent);
  return { cluster: cluster.id, secret, site, region, roles, notAfterMs, contacts };
}

async function join(
  code: InviteCode,
  agent: SampleAgent,
  change: Partial<SampleAgent['descriptor']> = {},
): Promise<Joined> {
  const secret = inviteSecret(code.secret);
  const { inviteKey } = cluster.admission(agent, { code: code.secret });
  await using network = hub.open(inviteKey, () => true);
  const work = joinCluster({
    network,
    code,
    descriptor: { ...agent.descriptor, ...change },
    statementSecret: agent.statementSecret,
    inviteSecret: secret,
    clock,
  });
  work.catch(() => {});
  await clock.advance(1000);
  return await work;
}

async function refusalOf(work: Promise<unknown>): Promise<HoldfastError> {
  const result = await work.catch((error: unknown) => error);
  if (result instanceof HoldfastError) return result;
  throw new Error('it should have been refused', { cause: result });
}

async function openJoined(joined: Joined, agent: SampleAgent): Promise<Ledger> {
  const { genesisBytes } = joined;
  const log = new MemoryStatementLog();
  const ledger = await Ledger.open({ genesisBytes, log, clock, self: agent });
  for (const envelope of joined.envelopes) {
    expect(await ledger.ingest(envelope)).toMatchObject({ outcome: 'accepted' });
  }
  return ledger;
}

describe('joining', () => {
  test('gives a joiner all that it needs, in an order in which it can be accepted', async () => {
    const joined = await join(await invite(bergen), bergen);
    const ledger = await openJoined(joined, bergen);
    expect(ledger.roster.memberByName('bergen-host').roles).toEqual(bergen.descriptor.roles);
    expect(joined.contacts).toEqual([
      { peer: oslo.network.self, multiaddrs: oslo.network.addresses() },
    ]);
    expect(oslo.ledger.roster.mayConnect(bergen.peerKey, clock.nowMs())).toBe('member');
  });

  test('works with an issuer that is not the founder, though the founder is away', async () => {
    const second = await host(bergen, (await join(await invite(bergen), bergen)).envelopes);
    const lund = sampleAgent('lund');
    await second.network.connect(oslo.network.self, oslo.network.addresses());
    await clock.advance(1000);
    hub.isolate(oslo.network.self);
    const joined = await join(await invite(lund, second), lund);
    const ledger = await openJoined(joined, lund);
    const names = ledger.roster.members().map(({ name }) => name);
    expect(names).toEqual(['bergen-host', 'lund-host', 'oslo-host']);
  });

  test('may be repeated by the same agent, whose answer was lost', async () => {
    const code = await invite(bergen);
    const first = await join(code, bergen);
    expect(await join(code, bergen)).toEqual(first);
    expect(oslo.ledger.roster.members()).toHaveLength(2);
  });

  test('asks the next contact when the first does not answer', async () => {
    const code = await invite(bergen);
    const away = { peer: turku.peerKey, multiaddrs: ['/memory/nowhere'] };
    const joined = await join({ ...code, contacts: [away, ...code.contacts] }, bergen);
    expect(joined.envelopes.length).toBeGreaterThan(0);
  });
});

describe('a code', () => {
  test('that was used is refused to everybody else', async () => {
    const code = await invite(bergen);
    await join(code, bergen);
    const thief = sampleAgent('bergen', { name: 'thief' });
    const refusal = await refusalOf(join(code, thief));
    expect(refusal.code).toBe('invite-used');
    expect(oslo.ledger.roster.members()).toHaveLength(2);
  });

  test('admits one of two agents that use it at the same time', async () => {
    const code = await invite(bergen);
    const { inviteKey } = cluster.admission(bergen);
    await using network = hub.open(inviteKey, () => true);
    const agents = [bergen, sampleAgent('bergen', { name: 'twin' })];
    const attempts = agents.map(({ descriptor, statementSecret }) =>
      joinCluster({
        network,
        code,
        descriptor,
        statementSecret,
        inviteSecret: inviteSecret(code.secret),
        clock,
      }),
    );
    const results = await Promise.allSettled(attempts);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(oslo.ledger.roster.members()).toHaveLength(2);
  });

  test('that has ended is refused, and says when it ended', async () => {
    const code = await invite(bergen);
    await clock.advance(code.notAfterMs - clock.nowMs() + 1);
    const refusal = await refusalOf(join(code, bergen));
    expect(refusal.code).toBe('invite-expired');
    expect(refusal.message).toContain(new Date(code.notAfterMs).toISOString());
  });

  test('that no operator has made is refused', async () => {
    const code = await invite(bergen);
    const invented = { ...code, secret: cluster.codeSecret(turku) };
    const refusal = await refusalOf(join(invented, sampleAgent('bergen', { name: 'other' })));
    expect(refusal.code).toBe('invite-unknown');
    expect(refusal.next).toContain('holdfast invite');
  });

  test.each([
    ['site', { site: 'lund' }],
    ['region', { region: 'us' }],
    ['roles', { roles: ['source', 'storage', 'auditor'] as const }],
  ])('does not admit an agent of another %s', async (_, change) => {
    const refusal = await refusalOf(join(await invite(bergen), bergen, change));
    expect(refusal.code).toBe('not-permitted');
    expect(refusal.message).toContain('site bergen, region eu');
  });

  test('does not admit a second agent of one name', async () => {
    await join(await invite(bergen), bergen);
    const namesake = sampleAgent('turku');
    const refusal = await refusalOf(
      join(await invite(namesake), namesake, { name: 'bergen-host' }),
    );
    expect(refusal.code).toBe('not-permitted');
    expect(refusal.message).toContain('the name "bergen-host" is taken');
  });

  test('is redeemed by its issuer alone', async () => {
    const second = await host(bergen, (await join(await invite(bergen), bergen)).envelopes);
    await second.network.connect(oslo.network.self, oslo.network.addresses());
    const code = await invite(turku);
    await clock.advance(1000);
    const contacts = [{ peer: second.network.self, multiaddrs: second.network.addresses() }];
    const refusal = await refusalOf(join({ ...code, contacts }, turku));
    expect(refusal.code).toBe('not-permitted');
    expect(refusal.message).toContain('redeemed by oslo-host');
  });

  test('whose issuer is away can be tried again later', async () => {
    const code = await invite(bergen);
    const contacts = [{ peer: oslo.network.self, multiaddrs: ['/memory/nowhere'] }];
    const refusal = await refusalOf(join({ ...code, contacts }, bergen));
    expect(refusal.code).toBe('peer-unreachable');
    expect(refusal.isRetryable).toBe(true);
    expect((await join(code, bergen)).envelopes.length).toBeGreaterThan(0);
  });
});

describe('an issuer that lies', () => {
  async function answerWith(change: { genesis?: Uint8Array; envelopes?: Uint8Array[] }) {
    const code = await invite(bergen);
    const joined = await join(code, bergen);
    const answer = { genesis: joined.genesisBytes, envelopes: [...joined.envelopes], contacts: [] };
    oslo.network.serveCalls(async () =>
      encodeResponse({ body: { case: 'join', value: { ...answer, ...change } } }),
    );
    return refusalOf(join(code, bergen));
  }

  test('cannot pass off another cluster', async () => {
    const { genesisBytes } = new SampleCluster('other');
    expect((await answerWith({ genesis: genesisBytes })).code).toBe('bad-signature');
  });

  test('cannot leave out the admission', async () => {
    const refusal = await answerWith({ envelopes: [] });
    expect(refusal.code).toBe('bad-signature');
    expect(refusal.message).toContain('does not prove');
  });

  test('cannot mix in what nobody of the cluster has signed', async () => {
    const elsewhere = new SampleCluster('other');
    const { envelope } = elsewhere.sign(elsewhere.operatorSecret, elsewhere.invite(bergen));
    expect((await answerWith({ envelopes: [envelope] })).code).toBe('bad-signature');
  });
});

test('an issuer whose history does not fit an answer says so before it admits', async () => {
  const code = await invite(bergen);
  const large = new Uint8Array(limits.envelopeSizeMax);
  const { read } = oslo.ledger;
  oslo.ledger.read = async (writer, stream, from, count) =>
    stream === clusterStream
      ? Array(Math.max(5, count)).fill(large)
      : read(writer, stream, from, count);
  expect((await refusalOf(join(code, bergen))).code).toBe('limit-exceeded');
  expect(oslo.ledger.roster.members()).toHaveLength(1);
});
