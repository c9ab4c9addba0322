import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ageSealer } from '../../src/adapters/age/sealer.ts';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import type { Statement, StatementBody } from '../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idBytes, idOf, type PeerKey } from '../../src/core/ids.ts';
import { openStatement } from '../../src/core/protocol/opened-statement.ts';
import type { Network } from '../../src/ports/network.ts';
import { ask, openAs, secretsOf } from '../support/acting-member.ts';
import { Cluster, pause, threeSites, told } from '../support/cluster.ts';
import { appendTo, forge } from '../support/forged-statement.ts';
import { writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const other = new Cluster();
const origin = 'ams1';
const liar = 'nyc1';
const honest = [origin, 'sin1'];
const source = join(cluster.root, 'source');

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 20, seed: 'liars', sizeMax: 5000 });
  await Promise.all([
    cluster.form(threeSites, { surviveSites: 1 }),
    other.form(threeSites.slice(0, 1), { surviveSites: 1 }),
  ]);
  await cluster.backup(origin, [source]);
  await other.run(['backup', source], origin);
});

afterAll(() => Promise.all([cluster[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]));

type ManifestBody = Extract<StatementBody, { kind: 'manifest' }>;

function manifestIn({ body }: Statement): ManifestBody {
  if (body.kind !== 'manifest') throw new Error(`a manifest is expected, not: ${body.kind}`);
  return body;
}

/** The first manifest of a cluster's source, as a member is given it. */
async function firstManifest(of: Cluster, network: Network): Promise<Uint8Array> {
  const { agentKey, peerKey, addresses } = await of.api(origin).identity();
  const [dataset] = (await of.api(origin).status()).datasets;
  const peer = peerKey as PeerKey;
  await network.connect(peer, addresses);
  const writer = idBytes(agentKey as AgentKey);
  const stream = `manifests/${dataset?.id}`;
  const value = { writer, stream, from: 1n, count: 1 };
  const answer = await ask(network, peer, { case: 'statements', value });
  if (answer.case !== 'statements') throw new Error(`the answer is a ${answer.case}`);
  return (answer.value.envelopes[0] as Uint8Array).slice();
}

/** A genuine manifest of the other cluster, asked for as a member of that one. */
async function foreignManifest(): Promise<Uint8Array> {
  const guest = { name: 'spy1', region: 'eu' };
  await other.join(guest.name, await other.invite(guest, { through: origin }));
  const { clusterId } = await other.api(origin).identity();
  const { transport } = secretsOf(other.state(guest.name));
  await using network = await openAs(transport, clusterId as ClusterId);
  return await firstManifest(other, network);
}

async function clusterId(): Promise<ClusterId> {
  return (await cluster.api(origin).identity()).clusterId as ClusterId;
}

describe('a member that lies', () => {
  it('brings no forged, altered, usurped or foreign manifest into the cluster', async () => {
    const id = await clusterId();
    await cluster.stop(liar);
    const before = await snapshotsOfTheHonest();
    const { transport, statement: secret } = secretsOf(cluster.state(liar));
    await using network = await openAs(transport, id);
    const genuine = await firstManifest(cluster, network);
    const all = attempts(id, secret, { genuine, foreign: await foreignManifest() });
    for (const site of honest) {
      const { peerKey, addresses } = await cluster.api(site).identity();
      const peer = peerKey as PeerKey;
      await network.connect(peer, addresses);
      for (const { what, manifest, code } of all) {
        const answer = await ask(network, peer, { case: 'commit', value: { manifest } });
        expect(answer, `${what}, at ${site}`).toMatchObject({ case: 'failure', value: { code } });
      }
    }
    expect(await snapshotsOfTheHonest()).toEqual(before);
    await network[Symbol.asyncDispose]();
    await cluster.start(liar);
    await cluster.untilConnected();
    const summary = await cluster.backup(origin, [source]);
    expect(summary, 'the source is not held up by it').toMatchObject({ state: 'committed' });
  });

  function attempts(
    id: ClusterId,
    secret: Uint8Array,
    manifests: { genuine: Uint8Array; foreign: Uint8Array },
  ): { what: string; manifest: Uint8Array; code: unknown }[] {
    const { genuine, foreign } = manifests;
    const { statement, hash } = openStatement(genuine, id);
    const { writer } = statement;
    const body = manifestIn(statement);
    const next: ManifestBody = { ...body, sequence: 2, previous: idOf(hash), tags: ['forged'] };
    const first: ManifestBody = { ...next, sequence: 1, previous: undefined };
    const self = idOf<AgentKey>(publicKeyOf(secret));
    const forged = forge(id, secret, { writer, sequence: 2, previous: hash, body: next });
    const none = new Uint8Array(32);
    const usurped = forge(id, secret, { writer: self, sequence: 1, previous: none, body: first });
    const altered = genuine.slice();
    altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
    return [
      { what: 'without the key of the source', manifest: forged.bytes, code: 'bad-signature' },
      { what: 'for the dataset of another', manifest: usurped.bytes, code: expect.any(String) },
      { what: 'genuine, but for one bit', manifest: altered, code: 'bad-signature' },
      { what: 'of another cluster', manifest: foreign, code: 'bad-signature' },
    ];
  }

  async function snapshotsOfTheHonest(): Promise<unknown> {
    return Promise.all(honest.map((site) => cluster.snapshots(site)));
  }
});

describe('a member that claims the dataset of another', () => {
  it('keeps nobody from backing up and restoring that dataset', async () => {
    const id = await clusterId();
    await cluster.stop(liar);
    await claim(id, cluster.state(liar));
    await cluster.start(liar);
    await cluster.untilConnected();
    // Connections are followed by a synchronisation at once; whether it takes the claim in is its own matter.
    await pause(3000);
    writeFileSync(join(source, 'after the claim'), 'more');
    const summary = await cluster.backup(origin, [source]);
    expect(summary).toMatchObject({ state: 'committed', files_new: 1 });
    const target = join(cluster.root, 'restored after the claim');
    const outcome = await cluster.restore('latest', target, 'sin1');
    expect(outcome.code, told(outcome)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
    await cluster.expect(0, ['check'], 'sin1');
  });

  /** The liar's own statements: a dataset of the same id and name, and manifests that would be the newest. */
  async function claim(id: ClusterId, state: string): Promise<void> {
    const { statement: secret, transport } = secretsOf(state);
    await using network = await openAs(transport, id);
    const body = manifestIn(openStatement(await firstManifest(cluster, network), id).statement);
    const { identity, recipient } = await ageSealer().generate();
    await appendTo(state, id, secret, {
      kind: 'dataset',
      id: body.dataset,
      name: origin,
      chunkMin: 16384,
      chunkAverage: 65536,
      chunkMax: 262144,
      keyEpoch: 1,
      recipient,
      wrappedIdentity: await ageSealer().seal([recipient], utf8(identity)),
    });
    let previous: ManifestBody['previous'];
    for (let sequence = 1; sequence < 5; sequence++) {
      const claimed = { ...body, sequence, previous, tags: ['usurped'] };
      previous = idOf(await appendTo(state, id, secret, claimed));
    }
  }
});
