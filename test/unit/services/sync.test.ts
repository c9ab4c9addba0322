import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../../src/core/errors.ts';
import { decodeRequest, encodeResponse } from '../../../src/core/format/exchange.ts';
import { encodePackSegments, factHash } from '../../../src/core/format/facts.ts';
import {
  clusterStream,
  manifestStream,
  receiptStream,
} from '../../../src/core/format/statement.ts';
import { type FactHash, idOf, type PackId, type StatementHash } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import { compareStreams, headMessage } from '../../../src/core/protocol/stream-heads.ts';
import { headPagesMax } from '../../../src/services/head-pages.ts';
import { LoopHub } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
} from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');
const home = sampleDataset('home');

let hub: LoopHub;
let cluster: SampleCluster;
let clock: ManualClock;
let membership: Uint8Array[];
let hosts: SampleHost[];

beforeEach(() => {
  hub = new LoopHub();
  cluster = new SampleCluster();
  clock = new ManualClock();
  membership = [...cluster.admit(bergen), ...cluster.admit(turku)];
  hosts = [];
});

afterEach(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
});

async function host(
  agent: SampleAgent,
  options: Parameters<typeof sampleHost>[1] = { envelopes: membership },
): Promise<SampleHost> {
  const made = await sampleHost({ hub, cluster, clock, agent }, options);
  hosts.push(made);
  return made;
}

async function meet(a: SampleHost, b: SampleHost): Promise<void> {
  await a.network.connect(b.network.self, b.network.addresses());
}

/** Lets time pass until the work is done: a first append waits for peers. */
async function soon<Result>(work: Promise<Result>): Promise<Result> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  work.then(end, end);
  while (!isDone) await clock.advance(50);
  return work;
}

/** A snapshot of one pack; its fact is stored. */
async function backUp(source: SampleHost): Promise<Uint8Array> {
  const { ledger } = source;
  const { agentKey } = source.agent;
  const stream = manifestStream(home.id);
  if (ledger.head(agentKey, clusterStream) === undefined || ledger.roster.datasets().length === 0) {
    await soon(ledger.append(clusterStream, home));
  }
  const head = ledger.head(agentKey, stream);
  const pack = idOf<PackId>(new Uint8Array(32).fill((head?.sequence ?? 0) + 1));
  const [segment] = encodePackSegments([{ pack, k: 1, m: 1, type: 'data', size: 100 }]);
  if (segment === undefined) throw new Error('one pack makes one segment');
  await source.facts.put(segment.hash, segment.bytes);
  const packSegments = [{ hash: idOf<FactHash>(segment.hash), count: 1 }];
  await soon(ledger.append(stream, sampleManifest(home.id, head, { packSegments })));
  return segment.hash;
}

describe('a round with a peer', () => {
  test('gives a late joiner everything, facts included', async () => {
    const oslo = await host(cluster.founder);
    const fact = await backUp(oslo);
    await backUp(oslo);
    oslo.serve.start();
    // It knows nothing of the cluster but the genesis, its own admission included.
    const late = await host(bergen, {});
    late.serve.start();
    await meet(late, oslo);
    expect(await late.sync.withPeer(oslo.network.self)).toEqual({ statements: 7, facts: 2 });
    const byName = (one: SampleHost) => one.ledger.heads().map(({ stream, hash }) => stream + hash);
    expect(byName(late).sort()).toEqual(byName(oslo).sort());
    expect(await late.facts.has(fact)).toBe(true);
    expect(await late.sync.withPeer(oslo.network.self)).toEqual({ statements: 0, facts: 0 });
  });

  test('compares more sequences than one response names', async () => {
    const oslo = await host(cluster.founder);
    await backUp(oslo);
    const held = oslo.ledger.heads();
    const crowd = Array.from({ length: 14_000 }, (_, i) => ({
      writer: i.toString(16).padStart(64, '0'),
      ...{ stream: receiptStream, sequence: 1, hash: new Uint8Array(32) },
    }));
    oslo.ledger.heads = () => [...crowd, ...held];
    oslo.serve.start();
    const late = await host(bergen, {});
    await meet(late, oslo);
    expect(await late.sync.withPeer(oslo.network.self)).toEqual({ statements: 6, facts: 1 });
    expect(late.ledger.heads()).toHaveLength(held.length);
    expect(late.sync.lag(oslo.network.self)).toBe(0);
  });

  test('brings the drill reports of members', async () => {
    const oslo = await host(cluster.founder);
    const report = new TextEncoder().encode('{"version":1}');
    await soon(oslo.ledger.append('drills', { kind: 'drill', report }));
    oslo.serve.start();
    const other = await host(bergen);
    other.serve.start();
    await meet(other, oslo);
    await other.sync.withPeer(oslo.network.self);
    expect(other.ledger.drills().map((drill) => drill.report)).toEqual([report]);
  });

  test('takes more statements than one response holds', async () => {
    const oslo = await host(cluster.founder);
    const count = limits.statementsPerResponse + 9;
    for (let i = 0; i < count; i++) {
      const address = { kind: 'address', multiaddrs: [], version: String(i) } as const;
      await soon(oslo.ledger.append(clusterStream, address));
    }
    oslo.serve.start();
    const late = await host(bergen);
    await meet(late, oslo);
    expect((await late.sync.withPeer(oslo.network.self)).statements).toBe(count);
  });

  test('asks the next peer for facts that one has lost', async () => {
    const oslo = await host(cluster.founder);
    const fact = await backUp(oslo);
    oslo.serve.start();
    const keeper = await host(turku);
    keeper.serve.start();
    await meet(keeper, oslo);
    await keeper.sync.withPeer(oslo.network.self);
    const late = await host(bergen);
    await meet(late, keeper);
    await meet(late, oslo);
    keeper.facts.get = async () => undefined;
    expect((await late.sync.withPeer(keeper.network.self)).facts).toBe(0);
    expect((await late.sync.withPeer(oslo.network.self)).facts).toBe(1);
    expect(await late.facts.has(fact)).toBe(true);
  });

  test('asks for the holdings of receipts', async () => {
    const oslo = await host(cluster.founder);
    oslo.serve.start();
    const keeper = await host(turku);
    await meet(keeper, oslo);
    const fact = Uint8Array.of(2, 1, 1);
    await oslo.facts.put(factHash(fact), fact);
    const receipt = {
      kind: 'receipt',
      manifest: idOf<StatementHash>(new Uint8Array(32).fill(1)),
      holdings: [idOf<FactHash>(factHash(fact))],
      freeBytes: 1,
      shardCount: 1,
    } as const;
    await soon(oslo.ledger.append(receiptStream, receipt));
    expect(await keeper.sync.withPeer(oslo.network.self)).toEqual({ statements: 1, facts: 1 });
  });

  test('says how far behind the peer was', async () => {
    const oslo = await host(cluster.founder);
    const late = await host(bergen);
    late.serve.start();
    oslo.serve.start();
    await meet(oslo, late);
    expect(oslo.sync.lag(late.network.self)).toBeUndefined();
    await backUp(oslo);
    await oslo.sync.withPeer(late.network.self);
    expect(oslo.sync.lag(late.network.self)).toBe(2);
    await late.sync.withPeer(oslo.network.self);
    await oslo.sync.withPeer(late.network.self);
    expect(oslo.sync.lag(late.network.self)).toBe(0);
  });
});

describe('in the background', () => {
  test('news travel by gossip, at once, and through others', async () => {
    const [oslo, second, third] = [
      await host(cluster.founder),
      await host(bergen),
      await host(turku),
    ];
    for (const one of hosts) one.start();
    await meet(oslo, second);
    await meet(second, third);
    await clock.advance(1000);
    await backUp(oslo);
    await clock.advance(1000);
    for (const one of [second, third]) expect(one.ledger.manifests()).toHaveLength(1);
  });

  test('a peer that missed the gossip catches up within two periods', async () => {
    const [oslo, second] = [await host(cluster.founder), await host(bergen)];
    for (const one of hosts) one.start();
    await meet(oslo, second);
    await clock.advance(1000);
    hub.isGossipLost = true;
    await backUp(oslo);
    await clock.advance(1000);
    expect(second.ledger.manifests()).toHaveLength(0);
    await clock.advance(2 * limits.syncPeriodMs);
    expect(second.ledger.manifests()).toHaveLength(1);
  });

  test('a peer that was cut off learns all on its return', async () => {
    const [oslo, second] = [await host(cluster.founder), await host(bergen)];
    for (const one of hosts) one.start();
    await meet(oslo, second);
    await clock.advance(1000);
    hub.isolate(second.network.self);
    await backUp(oslo);
    await backUp(oslo);
    await clock.advance(60_000);
    expect(second.ledger.manifests()).toHaveLength(0);
    await hub.heal();
    await clock.advance(1000);
    expect(second.ledger.manifests()).toHaveLength(2);
    expect(second.facts.size).toBe(2);
  });

  test('a peer that fails again and again is one line in the log', async () => {
    const [oslo, second] = [await host(cluster.founder), await host(bergen)];
    oslo.start();
    second.network.serveCalls(async () => Uint8Array.of(0xff));
    await meet(oslo, second);
    await clock.advance(10 * limits.syncPeriodMs);
    const warnings = oslo.logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ context }) => context.code)).toEqual(['bad-encoding']);
  });

  test('nothing goes on after disposal', async () => {
    const [oslo, second] = [await host(cluster.founder), await host(bergen)];
    for (const one of hosts) one.start();
    await meet(oslo, second);
    await clock.advance(1000);
    for (const one of hosts.splice(0)) await one[Symbol.asyncDispose]();
    const before = hub.calls;
    await clock.advance(10 * limits.syncPeriodMs);
    expect(hub.calls).toBe(before);
  });
});

describe('lost state', () => {
  test('own statements that peers hold are taken back before the next is signed', async () => {
    const first = await host(bergen);
    await soon(first.ledger.append(clusterStream, home));
    const old = first.log.copy();
    const oslo = await host(cluster.founder);
    for (const one of hosts) one.start();
    await meet(first, oslo);
    await clock.advance(1000);
    await backUp(first);
    await clock.advance(1000);
    await hosts.shift()?.[Symbol.asyncDispose]();

    const restored = await host(bergen, { log: old });
    restored.start();
    const head = () => restored.ledger.head(bergen.agentKey, manifestStream(home.id));
    expect(head()).toBeUndefined();
    const late = restored.ledger.append(clusterStream, sampleDataset('second'));
    await clock.advance(100);
    expect(restored.ledger.head(bergen.agentKey, clusterStream)?.sequence).toBe(1);
    await meet(restored, oslo);
    await clock.advance(1000);
    expect(head()?.sequence).toBe(1);
    // The dataset, and the address that it said before it lost its state, came back first.
    expect((await late).statement.sequence).toBe(3);
    await clock.advance(30_000);
    expect([restored.ledger.forks(), oslo.ledger.forks()]).toEqual([[], []]);
    expect(oslo.ledger.roster.dataset('second').writer).toBe(bergen.agentKey);
  });

  test('a host that nobody answers may sign after one period', async () => {
    const lonely = await host(bergen);
    lonely.start();
    let isSigned = false;
    const append = lonely.ledger.append(clusterStream, home).then(() => {
      isSigned = true;
    });
    await clock.advance(limits.syncPeriodMs - 100);
    expect(isSigned).toBe(false);
    await clock.advance(200);
    await append;
    expect(isSigned).toBe(true);
  });

  test('a founder who is alone signs at once', async () => {
    membership = [];
    const oslo = await host(cluster.founder);
    oslo.start();
    await oslo.ledger.append(clusterStream, home);
    expect(oslo.ledger.roster.datasets()).toHaveLength(1);
  });
});

describe('two histories of one writer', () => {
  test('are found by comparing heads, and the proof reaches everybody', async () => {
    const secret = cluster.founder.statementSecret;
    const address = (version: string) => ({ kind: 'address', multiaddrs: [], version }) as const;
    const first = cluster.sign(secret, address('a'));
    const rival = new SampleCluster();
    rival.admit(bergen);
    rival.admit(turku);
    const other = rival.sign(secret, address('b'));
    expect(other.statement.sequence).toBe(first.statement.sequence);
    const [a, b] = [await host(bergen), await host(turku)];
    // Admitted by another than the founder, whose stream is about to end.
    const lund = sampleAgent('lund');
    const c = await host(lund);
    const more = cluster.sign(
      cluster.operatorSecret,
      cluster.invite(lund, { issuer: bergen.agentKey }),
    );
    const admitted = cluster.sign(bergen.statementSecret, cluster.admission(lund));
    for (const one of hosts) {
      for (const { envelope } of [more, admitted]) await one.ledger.ingest(envelope);
      one.serve.start();
    }
    await a.ledger.ingest(first.envelope);
    await b.ledger.ingest(other.envelope);
    await c.ledger.ingest(first.envelope);
    await meet(a, b);
    await meet(c, a);
    await a.sync.withPeer(b.network.self);
    expect(a.ledger.forks()).toMatchObject([{ held: first.envelope, other: other.envelope }]);
    await c.sync.withPeer(a.network.self);
    expect(c.ledger.isFrozen(cluster.founder.agentKey, clusterStream)).toBe(true);
  });
});

describe('a lying peer', () => {
  async function liar(
    answer: (kind: string | undefined) => Parameters<typeof encodeResponse>[0],
  ): Promise<{ oslo: SampleHost; asked: () => number; peer: SampleHost['network']['self'] }> {
    const oslo = await host(cluster.founder);
    const { network } = await host(bergen);
    let count = 0;
    network.serveCalls(async (_, request) => {
      count++;
      return encodeResponse(answer(decodeRequest(request).body.case));
    });
    await oslo.network.connect(network.self, network.addresses());
    return { oslo, asked: () => count, peer: network.self };
  }

  const endless = (writers: readonly string[], streams: readonly string[]) =>
    writers
      .flatMap((writer) => streams.map((stream) => ({ writer, stream })))
      .toSorted(compareStreams)
      .map((name) => headMessage({ ...name, sequence: 2 ** 48, hash: new Uint8Array(32).fill(9) }));

  test('with endless heads and garbage costs one request for each known sequence', async () => {
    const writers = [
      cluster.founder.agentKey,
      bergen.agentKey,
      turku.agentKey,
      cluster.operatorKey,
    ];
    const invented = Array.from(
      { length: 500 },
      (_, i) => `manifests/${String(i).padStart(32, '0')}`,
    );
    const streams = [clusterStream, receiptStream, 'forks/cluster', ...invented];
    const { oslo, asked, peer } = await liar((kind) => {
      if (kind === 'heads') {
        return { body: { case: 'heads', value: { heads: endless(writers, streams) } } };
      }
      const envelopes = Array.from({ length: 300 }, (_, i) => new Uint8Array(100).fill(i));
      return { body: { case: 'statements', value: { envelopes } } };
    });
    const before = oslo.ledger.heads();
    expect(await oslo.sync.withPeer(peer)).toEqual({ statements: 0, facts: 0 });
    // One for the heads; four cluster streams and their forks, three streams of receipts.
    expect(asked()).toBeLessThanOrEqual(1 + 4 + 4 + 3);
    expect(oslo.ledger.heads()).toEqual(before);
  });

  test('that names new sequences for ever is asked for a bounded number of pages', async () => {
    let page = 0;
    const { oslo, asked, peer } = await liar(() => {
      const writer = (++page).toString(16).padStart(64, '0');
      const heads = endless([writer], [receiptStream]);
      return { body: { case: 'heads', value: { heads, more: true } } };
    });
    expect(await oslo.sync.withPeer(peer).catch(codeOf)).toBe('limit-exceeded');
    expect(asked()).toBe(headPagesMax);
  });

  test('that repeats what is known is left alone', async () => {
    const { oslo, asked, peer } = await liar((kind) =>
      kind === 'heads'
        ? { body: { case: 'heads', value: { heads: endless([cluster.operatorKey], ['cluster']) } } }
        : { body: { case: 'statements', value: { envelopes: membership } } },
    );
    await oslo.sync.withPeer(peer);
    expect(asked()).toBe(2);
  });

  test('that sends facts nobody asked for fills nothing', async () => {
    const fact = Uint8Array.of(1, 2, 3);
    const { oslo, peer } = await liar((kind) => {
      if (kind === 'heads') return { body: { case: 'heads', value: { heads: [] } } };
      return { body: { case: 'facts', value: { facts: [fact, fact] } } };
    });
    await backUp(oslo);
    oslo.facts.has = async () => false;
    expect((await oslo.sync.withPeer(peer)).facts).toBe(0);
    expect(await oslo.facts.get(factHash(fact))).toBeUndefined();
  });

  test('that answers something else is an error of that peer alone', async () => {
    const { oslo, peer } = await liar(() => ({ body: { case: 'commit', value: {} } }));
    const failed = await oslo.sync.withPeer(peer).catch(codeOf);
    expect(failed).toBe('bad-encoding');
  });

  test('cannot hold back what this host signs', async () => {
    const { oslo, peer } = await liar((kind) =>
      kind === 'heads'
        ? {
            body: {
              case: 'heads',
              value: { heads: endless([cluster.founder.agentKey], ['cluster']) },
            },
          }
        : { body: { case: 'statements', value: { envelopes: [] } } },
    );
    await oslo.sync.withPeer(peer);
    await oslo.ledger.append(clusterStream, home);
    expect(oslo.ledger.roster.datasets()).toHaveLength(1);
  });
});
