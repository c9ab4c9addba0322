import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../src/core/crypto/signature.ts';
import { decodeResponse, encodeRequest } from '../../../src/core/format/exchange.ts';
import { factHash } from '../../../src/core/format/facts.ts';
import type { Response } from '../../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import { inviteSecret } from '../../../src/core/format/invite-code.ts';
import { clusterStream } from '../../../src/core/format/statement.ts';
import { idBytes, idOf, type PeerKey } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import { LoopHub, type LoopNetwork } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SampleCluster, sampleAgent } from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');

let hub: LoopHub;
let cluster: SampleCluster;
let clock: ManualClock;
let oslo: SampleHost;
let inviteKey: PeerKey;

beforeEach(async () => {
  hub = new LoopHub();
  cluster = new SampleCluster();
  clock = new ManualClock();
  const invite = cluster.sign(cluster.operatorSecret, cluster.invite(turku));
  const envelopes = [invite.envelope, ...cluster.admit(bergen)];
  oslo = await sampleHost({ hub, cluster, clock, agent: cluster.founder }, { envelopes });
  inviteKey = idOf(publicKeyOf(inviteSecret(cluster.codeSecret(turku))));
});

afterEach(() => oslo[Symbol.asyncDispose]());

async function reach(peer: PeerKey): Promise<LoopNetwork> {
  const network = hub.open(peer, () => true);
  await network.connect(oslo.network.self, oslo.network.addresses());
  return network;
}

type Ask = Parameters<typeof encodeRequest>[0]['body'];

async function ask(network: LoopNetwork, body: Ask): Promise<Response['body']> {
  const request = body === undefined ? {} : { body };
  return decodeResponse(await network.call(oslo.network.self, encodeRequest(request))).body;
}

const requests = {
  hello: { case: 'hello', value: { version: '1', timeMs: 1n } },
  heads: { case: 'heads', value: {} },
  statements: {
    case: 'statements',
    value: { writer: new Uint8Array(32), stream: 'cluster', from: 1n, count: 1 },
  },
  facts: { case: 'facts', value: { hashes: [] } },
  offer: { case: 'offer', value: {} },
  commit: { case: 'commit', value: {} },
  head: { case: 'head', value: {} },
  controlLog: { case: 'controlLog', value: {} },
  image: { case: 'image', value: {} },
  generation: { case: 'generation', value: {} },
  inspect: { case: 'inspect', value: {} },
  join: { case: 'join', value: {} },
} as const satisfies Record<string, Ask>;

function registerAll(): void {
  oslo.serve.register('offer', async () => ({ hadIt: true }));
  oslo.serve.register('commit', async () => ({ receipt: new Uint8Array() }));
  oslo.serve.register('head', async () => ({ indexes: [1] }));
  oslo.serve.register('controlLog', async () => ({}));
  oslo.serve.register('image', async () => ({}));
  oslo.serve.register('generation', async () => ({}));
  oslo.serve.register('inspect', async () => ({ shards: [] }));
  oslo.serve.register('join', async () => ({ envelopes: [] }));
  oslo.serve.start();
}

async function allowedTo(peer: PeerKey): Promise<string[]> {
  registerAll();
  const network = await reach(peer);
  const allowed: string[] = [];
  for (const [kind, request] of Object.entries(requests)) {
    const answer = await ask(network, request);
    if (answer.case === kind) allowed.push(kind);
    else expect(answer.value).toMatchObject({ code: 'not-permitted' });
  }
  return allowed;
}

describe('who may ask for what', () => {
  test('a member may ask for everything', async () => {
    expect(await allowedTo(bergen.peerKey)).toEqual(Object.keys(requests));
  });

  test('the recovery kit may read', async () => {
    const allowed = await allowedTo(cluster.recoveryKey);
    const log = ['controlLog', 'image', 'generation'];
    expect(allowed).toEqual(['hello', 'heads', 'statements', 'facts', 'head', ...log]);
  });

  test('an invite may join', async () => {
    expect(await allowedTo(inviteKey)).toEqual(['hello', 'join']);
  });

  test('whoever is none of these is not even connected', async () => {
    oslo.serve.start();
    const stranger = await reach(turku.peerKey);
    await expect(ask(stranger, requests.hello)).rejects.toMatchObject({ code: 'peer-unreachable' });
    expect(oslo.serve.callerOf(turku.peerKey)).toBeUndefined();
  });

  test('an invite that ends while its connection stands may do nothing more', async () => {
    registerAll();
    const joiner = await reach(inviteKey);
    await clock.advance(4_000_000);
    expect(await ask(joiner, requests.hello)).toMatchObject({ value: { code: 'not-permitted' } });
    expect(await ask(joiner, requests.join)).toMatchObject({ value: { code: 'invite-unknown' } });
  });
});

describe('answers', () => {
  let member: LoopNetwork;

  beforeEach(async () => {
    oslo.serve.start();
    member = await reach(bergen.peerKey);
  });

  test('hello tells the genesis, the time and the free space', async () => {
    expect(await ask(member, requests.hello)).toMatchObject({
      case: 'hello',
      value: {
        genesis: cluster.genesisBytes,
        version: '1.0.0',
        timeMs: BigInt(clock.nowMs()),
        freeBytes: 1_000_000n,
        shardCount: 3n,
        shardBytes: 4096n,
      },
    });
  });

  test('statements come in their order, as far as they are held', async () => {
    const writer = idBytes(cluster.operatorKey);
    const asked = { writer, stream: clusterStream, from: 2n, count: 99 };
    const answer = await ask(member, { case: 'statements', value: asked });
    const held = await oslo.ledger.read(cluster.operatorKey, clusterStream, 2, 99);
    expect(held).toHaveLength(1);
    expect(answer).toMatchObject({ case: 'statements', value: { envelopes: held } });
  });

  test('statements never make a message too large', async () => {
    const large = new Uint8Array(200 * 1024);
    oslo.ledger.read = async (_writer, _stream, _from, count) => Array(count).fill(large);
    const writer = idBytes(cluster.operatorKey);
    const asked = { writer, stream: clusterStream, from: 1n, count: 1000 };
    const answer = await ask(member, { case: 'statements', value: asked });
    expect(answer.case === 'statements' && answer.value.envelopes.length).toBe(5);
  });

  test('facts that are not held are left out', async () => {
    const fact = Uint8Array.of(1, 2, 3);
    await oslo.facts.put(factHash(fact), fact);
    const hashes = [new Uint8Array(32), factHash(fact)];
    const answer = await ask(member, { case: 'facts', value: { hashes } });
    expect(answer).toMatchObject({ case: 'facts', value: { facts: [fact] } });
  });

  test.each([
    [
      'too many facts',
      {
        case: 'facts',
        value: { hashes: Array(limits.factsPerRequest + 1).fill(new Uint8Array(32)) },
      },
      'limit-exceeded',
    ],
    [
      'a fact by half a hash',
      { case: 'facts', value: { hashes: [new Uint8Array(16)] } },
      'bad-encoding',
    ],
    [
      'entry 0',
      { case: 'statements', value: { ...requests.statements.value, from: 0n } },
      'bad-encoding',
    ],
    [
      'a stream of another form',
      { case: 'statements', value: { ...requests.statements.value, stream: '../x' } },
      'bad-encoding',
    ],
    ['nothing', undefined, 'bad-encoding'],
    ['what nobody answers', requests.inspect, 'not-permitted'],
  ] as const)('whoever asks for %s is told so', async (_, request, code) => {
    const answer = await ask(member, request as Ask);
    expect(answer).toMatchObject({ case: 'failure', value: { code } });
  });

  test('a bug here is not told to the peer, but to the log', async () => {
    oslo.serve.register('head', async () => {
      throw new TypeError('secret path');
    });
    const answer = await ask(member, requests.head);
    expect(answer).toMatchObject({ value: { code: 'failed', message: 'internal error' } });
    const errors = oslo.logger.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ context }) => context.problem)).toEqual(['secret path']);
  });

  test('bytes that are no request are refused', async () => {
    const answer = decodeResponse(await member.call(oslo.network.self, Uint8Array.of(0xff, 1)));
    expect(answer.body).toMatchObject({ case: 'failure', value: { code: 'bad-encoding' } });
  });

  test('the handler of a kind learns who asks', async () => {
    let asker: unknown;
    oslo.serve.register('head', async (_, caller) => {
      asker = { access: caller.access, name: caller.member?.name, peer: caller.peer };
      return {};
    });
    await ask(member, requests.head);
    expect(asker).toEqual({ access: 'member', name: 'bergen-host', peer: bergen.peerKey });
  });
});
