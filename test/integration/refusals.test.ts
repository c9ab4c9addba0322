import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ageSealer } from '../../src/adapters/age/sealer.ts';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { openStatementLog } from '../../src/adapters/fs/statement-log.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import { clusterIdOf } from '../../src/core/format/genesis.ts';
import type { Manifest } from '../../src/core/format/records.ts';
import {
  encodeStatement,
  manifestStream,
  type StatementBody,
  streamOf,
} from '../../src/core/format/statement.ts';
import {
  type AgentKey,
  type ClusterId,
  type DatasetId,
  idBytes,
  idOf,
  type PeerKey,
  type StatementHash,
} from '../../src/core/ids.ts';
import { generation, openStatement } from '../../src/core/protocol/opened-statement.ts';
import { ask, openAs, secretsOf } from '../support/acting-member.ts';
import { Cluster, messages, type Outcome, pause, threeSites, told } from '../support/cluster.ts';
import { collectingLog } from '../support/collecting-log.ts';
import { randomBytes, writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const other = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 20, seed: 'refusals', sizeMax: 5000 });
  await Promise.all([
    cluster.form(threeSites, { surviveSites: 1 }),
    other.form(threeSites.slice(0, 1), { surviveSites: 1 }),
  ]);
  await cluster.backup(origin, [source]);
  await other.run(['backup', source], origin);
});

afterAll(() => Promise.all([cluster[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]));

/** Why a command failed, as its `--json` output says. */
function failureOf(outcome: Outcome): { code: unknown; message: string; next: string } {
  const failure = messages(outcome.err).find(({ message_type }) => message_type === 'exit_error');
  if (failure === undefined) throw new Error(told(outcome));
  const { code, message, next } = failure;
  return { code, message: String(message), next: String(next) };
}

describe('a stranger', () => {
  const secret = randomBytes('stranger', 32);

  it('with a valid identity is cut after the handshake, and gets no answer', async () => {
    const { clusterId, peerKey, addresses } = await cluster.api(origin).identity();
    await using network = await openAs(secret, clusterId as ClusterId);
    const [address = ''] = addresses;
    await expect(network.connectTo(address)).rejects.toMatchObject({ code: /peer-/ });
    const peer = peerKey as PeerKey;
    await expect(network.connect(peer, addresses)).rejects.toMatchObject({ code: /peer-/ });
    const hello = { case: 'hello', value: { version: '1', timeMs: 0n } } as const;
    await expect(ask(network, peer, hello)).rejects.toMatchObject({ code: /peer-/ });
    const peers = await cluster.api(origin).peers();
    expect(peers.map(({ name }) => name).toSorted()).toEqual(threeSites.map(({ name }) => name));
  });

  it('that speaks no known protocol does not disturb the agent', async () => {
    const [address = ''] = (await cluster.api(origin).identity()).addresses;
    const port = Number(address.split('/').at(-1));
    const sent = ['', 'GET / HTTP/1.1\r\n\r\n', randomBytes('noise', 100_000)];
    await Promise.all(sent.map((bytes) => sendAndLeave(port, bytes)));
    await cluster.untilConnected();
    await cluster.expect(0, ['check'], origin);
  });
});

async function sendAndLeave(port: number, bytes: string | Uint8Array): Promise<void> {
  const socket = createConnection(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.write(bytes);
  await pause(300);
  socket.destroy();
}

describe('an invite code', () => {
  it('admits one agent only', async () => {
    const guest = { name: 'lon1', region: 'eu' };
    const options = ['--role', 'source'];
    const file = await cluster.invite(guest, { through: origin, options });
    await cluster.join(guest.name, file);
    const outcome = await cluster.join('lon2', file, 24);
    expect(outcome.err).toMatch(/invite has admitted an agent before|invite is not open/);
  });

  it('that has ended admits nobody, and the reason says so', async () => {
    const guest = { name: 'par1', region: 'eu' };
    const file = await cluster.invite(guest, { through: origin, options: ['--ttl', '1s'] });
    await pause(1500);
    const outcome = await cluster.join('par1', file, 24);
    expect(outcome.err).toMatch(/the invite (has )?ended/);
    expect(outcome.err).toContain('holdfast invite');
  });

  it('that is mistyped is refused before anybody is asked', async () => {
    const guest = { name: 'rom1', region: 'eu' };
    const file = await cluster.invite(guest, { through: origin });
    const code = readFileSync(file, 'utf8');
    const at = code.length - 20;
    const wrong = code[at] === 'a' ? 'b' : 'a';
    writeFileSync(file, `${code.slice(0, at)}${wrong}${code.slice(at + 1)}`);
    const outcome = await cluster.join('rom1', file, 2);
    expect(outcome.err).toMatch(/mistyped/);
  });
});

describe('a recovery kit', () => {
  it('of another cluster opens nothing, and the reason says so', async () => {
    const [, , , peer = ''] = await cluster.recovery(origin);
    const target = join(cluster.root, 'wrong kit');
    const command = ['restore', 'latest', '--kit', other.kit, '--peer', peer, '-t', target];
    const failure = failureOf(await cluster.expect(12, [...command, '--json']));
    expect(failure.message).toMatch(/kit/);
    expect(failure.next).toMatch(/cluster/);
  });

  it('with a mistyped line is refused before anybody is asked', async () => {
    const text = readFileSync(cluster.kit, 'utf8');
    const kit = join(cluster.root, 'mistyped.txt');
    const mistyped = text.replace(/^(Identity: +\S{30})(\S)/m, (_, start: string, digit: string) =>
      start.concat(digit === 'Q' ? 'P' : 'Q'),
    );
    writeFileSync(kit, mistyped, { mode: 0o600 });
    const failure = failureOf(await cluster.expect(12, ['snapshots', '--kit', kit, '--json']));
    expect(failure.message).toMatch(/identity|check/i);
  });
});

describe('a member that lies', () => {
  const liar = 'nyc1';

  it('brings no forged, altered, usurped or foreign manifest into the cluster', async () => {
    const { clusterId } = await cluster.api(origin).identity();
    const id = clusterId as ClusterId;
    await cluster.stop(liar);
    const before = await snapshotsEverywhere();
    const secrets = secretsOf(cluster.state(liar));
    await using network = await openAs(secrets.transport, id);
    const genuine = await newestManifest(cluster, network);
    const { statement, hash } = openStatement(genuine, id);
    const { body } = statement;
    if (body.kind !== 'manifest') throw new Error('a manifest is expected');
    const next: Manifest = { ...body, sequence: 2, previous: idOf(hash), tags: ['forged'] };
    const seal = (of: { writer: AgentKey; previous: Uint8Array; manifest: Manifest }): Uint8Array =>
      sealEnvelope({
        type: 'statement',
        cluster: id,
        generation,
        payload: encodeStatement({
          writer: of.writer,
          stream: manifestStream(body.dataset),
          sequence: of.manifest.sequence,
          previous: of.previous,
          timeMs: Date.now(),
          body: { kind: 'manifest', ...of.manifest },
        }),
        secrets: [secrets.statement],
      }).bytes;
    const self = idOf<AgentKey>(publicKeyOf(secrets.statement));
    const first: Manifest = { ...next, sequence: 1, previous: undefined };
    const altered = genuine.slice();
    altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
    const usurped = seal({ writer: self, previous: new Uint8Array(32), manifest: first });
    const attempts = [
      {
        what: 'in the name of the source, without its key',
        manifest: seal({ writer: statement.writer, previous: hash, manifest: next }),
        code: 'bad-signature',
      },
      { what: 'for the dataset of another', manifest: usurped, code: expect.any(String) },
      { what: 'genuine, but for one bit', manifest: altered, code: 'bad-signature' },
      { what: 'of another cluster', manifest: await foreignManifest(), code: 'bad-signature' },
    ];
    for (const site of [origin, 'sin1']) {
      const { peerKey, addresses } = await cluster.api(site).identity();
      const peer = peerKey as PeerKey;
      await network.connect(peer, addresses);
      for (const { what, manifest, code } of attempts) {
        const answer = await ask(network, peer, { case: 'commit', value: { manifest } });
        expect(answer, `${what}, at ${site}`).toMatchObject({ case: 'failure', value: { code } });
      }
    }
    expect(await snapshotsEverywhere()).toEqual(before);
    await network[Symbol.asyncDispose]();
    await cluster.start(liar);
    await cluster.untilConnected();
    const summary = await cluster.backup(origin, [source]);
    expect(summary, 'the source is not held up by it').toMatchObject({ state: 'committed' });
  });

  async function snapshotsEverywhere(): Promise<unknown> {
    return Promise.all([origin, 'sin1'].map((site) => cluster.snapshots(site)));
  }
});

async function newestManifest(
  of: Cluster,
  network: Awaited<ReturnType<typeof openAs>>,
): Promise<Uint8Array> {
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
  await other.join('spy1', await other.invite(guest, { through: origin }));
  const { clusterId } = await other.api(origin).identity();
  const { transport } = secretsOf(other.state('spy1'));
  await using network = await openAs(transport, clusterId as ClusterId);
  return await newestManifest(other, network);
}

describe('the command line', () => {
  it('lets no second agent use a state directory: exit 11', async () => {
    const outcome = await cluster.expect(11, ['agent'], origin);
    expect(outcome.err).toMatch(/in use|runs|another/);
  });

  it('restores into no directory that holds something: exit 26', async () => {
    const target = join(cluster.root, 'not empty');
    mkdirSync(target);
    writeFileSync(join(target, 'precious'), 'mine');
    const outcome = await cluster.restore('latest', target, origin);
    expect(outcome.code, told(outcome)).toBe(26);
    expect(failureOf(outcome)).toMatchObject({ code: 'unsafe-target' });
    expect(readFileSync(join(target, 'precious'), 'utf8')).toBe('mine');
  });

  it('says that a state directory belongs to no cluster: exit 10', async () => {
    cluster.prepare('fresh');
    const outcome = await cluster.expect(10, ['agent'], 'fresh');
    expect(outcome.err).toMatch(/holdfast init|holdfast join/);
  });

  it('says how to start the agent when none runs: exit 1', async () => {
    await cluster.stop('nyc1');
    const state = cluster.state('nyc1');
    for (const command of [['status'], ['snapshots'], ['check'], ['backup', source]]) {
      const failure = failureOf(await cluster.expect(1, [...command, '--json'], 'nyc1'));
      expect(failure).toMatchObject({
        code: 'agent-not-running',
        next: `holdfast agent -s ${state}`,
      });
    }
  });
});

describe('a member that claims the dataset of another', () => {
  const liar = 'nyc1';

  it('keeps nobody from backing up and restoring that dataset', async () => {
    const [dataset] = (await cluster.api(origin).status()).datasets;
    await cluster.stop(liar);
    const state = cluster.state(liar);
    const { statement: secret, transport } = secretsOf(state);
    const id = clusterIdOf(new Uint8Array(readFileSync(join(state, 'genesis'))));
    const manifest = await manifestAs(transport, id);
    const { identity, recipient } = await ageSealer().generate();
    await appendTo(state, id, secret, {
      kind: 'dataset',
      id: dataset?.id as DatasetId,
      name: origin,
      chunkMin: 16384,
      chunkAverage: 65536,
      chunkMax: 262144,
      keyEpoch: 1,
      recipient,
      wrappedIdentity: await ageSealer().seal([recipient], utf8(identity)),
    });
    // With a higher number than the source's own snapshots: it would be the newest.
    for (let sequence = 1, previous: StatementHash | undefined; sequence < 5; sequence++) {
      const claimed = { ...manifest, sequence, previous, tags: ['usurped'] };
      const hash = await appendTo(state, id, secret, { kind: 'manifest', ...claimed });
      previous = idOf(hash);
    }
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
});

async function manifestAs(transportSecret: Uint8Array, id: ClusterId): Promise<Manifest> {
  await using network = await openAs(transportSecret, id);
  const { body } = openStatement(await newestManifest(cluster, network), id).statement;
  if (body.kind !== 'manifest') throw new Error('a manifest is expected');
  return body;
}

/** Puts a statement at the end of an agent's own sequence, as nothing that the agent does would. */
async function appendTo(
  stateDir: string,
  cluster: ClusterId,
  secret: Uint8Array,
  body: StatementBody,
): Promise<Uint8Array> {
  await using log = await openStatementLog(join(stateDir, 'statements'), collectingLog());
  const writer = idOf<AgentKey>(publicKeyOf(secret));
  const stream = streamOf(body);
  const head = log.head({ writer, stream });
  const sequence = (head?.sequence ?? 0) + 1;
  const previous = head?.hash ?? new Uint8Array(32);
  const statement = { writer, stream, sequence, previous, timeMs: Date.now(), body };
  const payload = encodeStatement(statement);
  const sealed = { type: 'statement', cluster, generation, payload, secrets: [secret] } as const;
  const { bytes, hash } = sealEnvelope(sealed);
  await log.append({ writer, stream }, { sequence, hash, envelope: bytes });
  return hash;
}
