import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  decodePullRequest,
  encodePullReply,
  encodePullRequest,
  encodePullWait,
} from '../../../../src/adapters/libp2p/pull-message.ts';
import { PullLane } from '../../../../src/adapters/libp2p/pull-lane.ts';
import { PullServer } from '../../../../src/adapters/libp2p/pull-server.ts';
import {
  framed,
  StreamReader,
  writeAll,
  writeFrame,
} from '../../../../src/adapters/libp2p/stream-io.ts';
import { MiB } from '../../../../src/base/units.ts';
import { idOf, type PeerKey, type TraceId } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { startAgentProcess } from './agent-process.ts';
import { bareServer, rawStream } from './raw-peer.ts';
import { cluster as clusterId, pullRequest as request, SampleCluster } from './sample-agent.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { StreamPair } from './stream-pair.ts';

const protocol = `/holdfast/${clusterId.slice(0, 8)}/pull/1`;

test('pulls of a whole pack arrive intact, over few streams', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  const pack = Uint8Array.from(randomBytes(limits.packSizeMax));
  right.servePulls(async (_peer, { leaf, count }) => ({
    bytes: pack.subarray(leaf * limits.leafSize, (leaf + count) * limits.leafSize),
  }));
  await left.connect(right.self, right.addresses());
  const leaves = Array.from({ length: pack.length / MiB }, (_, i) => i * limits.pullLeavesMax);
  const replies = await Promise.all(
    leaves.map((leaf) => left.pull(right.self, { ...request, leaf })),
  );
  expect(Buffer.compare(Buffer.concat(replies.map(({ bytes }) => bytes)), pack)).toBe(0);
});

test('a pull tells of which backup or restore it is part', () => {
  const trace = idOf<TraceId>(new Uint8Array(16).fill(7));
  const span = '00f067aa0ba902b7';
  const heard = decodePullRequest(encodePullRequest({ ...request, trace, span }));
  expect([heard.trace, heard.span]).toEqual([trace, span]);
  expect(decodePullRequest(encodePullRequest({ ...request, trace }))).toEqual({
    ...request,
    trace,
  });
  expect(decodePullRequest(encodePullRequest({ ...request, span }))).toEqual(request);
});

test('pulls of one peer are bounded on the far end, and each waits for its turn', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  let running = 0;
  let runningMax = 0;
  right.servePulls(async () => {
    runningMax = Math.max(runningMax, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return { bytes: new Uint8Array() };
  });
  await left.connect(right.self, right.addresses());
  await Promise.all(Array.from({ length: 200 }, () => left.pull(right.self, request)));
  expect(runningMax).toBeGreaterThan(1);
  expect(runningMax).toBeLessThanOrEqual(8);
});

test('pulls beyond what may wait are refused', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  right.servePulls(() => new Promise(() => undefined));
  await left.connect(right.self, right.addresses());
  const waiting = Array.from({ length: 1024 }, () => left.pull(right.self, request));
  const outcomes = Promise.allSettled(waiting);
  const excess = left.pull(right.self, request);
  await expect(excess).rejects.toMatchObject({ code: 'limit-exceeded' });
  await left.disconnect(right.self);
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ reason: { code: 'peer-unreachable' } });
  }
});

test('a peer that asks much and takes nothing makes the server read little ahead', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  let served = 0;
  server.servePulls(async () => {
    served += 1;
    return { bytes: new Uint8Array(MiB) };
  });
  await using greedy = await rawStream(cluster, server, protocol);
  using _unread = new StreamReader(greedy.stream);
  for (let i = 0; i < 100; i++) await writeFrame(greedy.stream, encodePullRequest(request), 5000);
  await new Promise((resolve) => setTimeout(resolve, 500));
  // What is in the window, in the reader and on its way: see stream-io.test.ts.
  expect(served).toBeGreaterThan(1);
  expect(served).toBeLessThan(16);
});

test('replies of one stream come in the order of the requests', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  server.servePulls(async (_peer, { leaf }) => {
    await new Promise((resolve) => setTimeout(resolve, leaf === 0 ? 50 : 0));
    return { bytes: Uint8Array.of(leaf) };
  });
  await using raw = await rawStream(cluster, server, protocol);
  using reader = new StreamReader(raw.stream);
  for (const leaf of [0, 1, 2]) {
    await writeFrame(raw.stream, encodePullRequest({ ...request, leaf }), 5000);
  }
  for (const leaf of [0, 1, 2]) {
    await reader.readFrame({ sizeMax: 100, idleMs: 5000 });
    expect(await reader.readExactly(1, 5000)).toEqual(Uint8Array.of(leaf));
  }
});

test('a malformed request, and one for too many leaves, cuts the stream', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  server.servePulls(async () => ({ bytes: new Uint8Array() }));
  const valid = encodePullRequest(request);
  // Field 4 is the count.
  const tooMany = Uint8Array.from(valid, (byte, i) => (valid[i - 1] === 0x20 ? 17 : byte));
  for (const bad of [Uint8Array.of(0xff), new Uint8Array(1000), tooMany]) {
    await using raw = await rawStream(cluster, server, protocol);
    using reader = new StreamReader(raw.stream);
    await writeFrame(raw.stream, bad, 5000);
    const read = reader.readExactly(1, 5000);
    await expect(read).rejects.toMatchObject({ code: 'peer-unreachable' });
  }
});

test.each([
  ['answers with more than was asked for', encodePullReply({ bytes: new Uint8Array(MiB + 1) })],
  ['sends no valid message', Uint8Array.of(0xff, 0xff)],
  ['sends too long a message', new Uint8Array(limits.factSizeMax + 1)],
])('a peer that %s loses the stream, and its pulls can be tried elsewhere', async (_, header) => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  await using liar = await bareServer(protocol, async (stream) => {
    using reader = new StreamReader(stream);
    await reader.readFrame({ sizeMax: 1000, idleMs: 5000 });
    await writeFrame(stream, header, 5000);
    await reader.isAtEnd(5000);
  });
  cluster.members.add(liar.self);
  await client.connectTo(liar.address);
  const pulls = await Promise.allSettled([
    client.pull(liar.self, request),
    client.pull(liar.self, request),
  ]);
  for (const outcome of pulls) {
    expect(outcome).toMatchObject({ reason: { code: 'peer-unreachable', isRetryable: true } });
  }
});

test('a head that does not hold fails its own pull, with the bytes after it in step', async () => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  // Size 1, and a head without content.
  const header = Uint8Array.of(0x08, 1, 0x12, 0);
  await using liar = await bareServer(protocol, async (stream) => {
    using reader = new StreamReader(stream);
    for (const bytes of [header, Uint8Array.of(0x08, 1)]) {
      await reader.readFrame({ sizeMax: 1000, idleMs: 5000 });
      await writeAll(stream, Uint8Array.of(...framed(bytes), 9), 5000);
    }
    await reader.isAtEnd(5000);
  });
  cluster.members.add(liar.self);
  await client.connectTo(liar.address);
  const first = client.pull(liar.self, { ...request, withHead: true });
  await expect(first).rejects.toMatchObject({ code: 'bad-encoding' });
  const second = await client.pull(liar.self, request);
  expect(second.bytes).toEqual(Uint8Array.of(9));
});

test('an answer that waits for its turn keeps its stream, as long as its server says so', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  const server = new PullServer(collectingLog(), 5);
  server.serve(async (_peer, { leaf }) => {
    if (leaf === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    return { bytes: Uint8Array.of(leaf) };
  });
  server.accept(far, 'aa'.repeat(32) as PeerKey);
  const lane = new PullLane(near, () => undefined);
  const replies = await Promise.all([0, 1].map((leaf) => lane.pull({ ...request, leaf })));
  expect(replies).toEqual([{ bytes: Uint8Array.of(0) }, { bytes: Uint8Array.of(1) }]);
  lane.end(new Error('done'));
});

test('a peer that only says that it is alive is given up in the end', async () => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  await using liar = await bareServer(protocol, async (stream) => {
    using reader = new StreamReader(stream);
    await reader.readFrame({ sizeMax: 1000, idleMs: 5000 });
    for (let i = 0; i < 100; i++) await writeFrame(stream, encodePullWait(), 5000);
    await reader.isAtEnd(5000);
  });
  cluster.members.add(liar.self);
  await client.connectTo(liar.address);
  const pull = client.pull(liar.self, request);
  await expect(pull).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('an unknown failure code of a peer is a refusal', async () => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  const failure = Uint8Array.of(0x1a, 3, 0x0a, 1, 0x78);
  await using server = await bareServer(protocol, async (stream) => {
    using reader = new StreamReader(stream);
    await reader.readFrame({ sizeMax: 1000, idleMs: 5000 });
    await writeFrame(stream, failure, 5000);
    await reader.isAtEnd(5000);
  });
  cluster.members.add(server.self);
  await client.connectTo(server.address);
  const pull = client.pull(server.self, request);
  await expect(pull).rejects.toMatchObject({ code: 'peer-refused' });
});

test('a server that is killed fails its pulls soon, and nothing else', async () => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  using server = await startAgentProcess();
  cluster.members.add(server.self);
  await client.connect(server.self, server.addresses);
  let arrived = 0;
  const pulls = Array.from({ length: 500 }, async () => {
    await client.pull(server.self, request);
    if (++arrived === 10) server.kill('SIGKILL');
  });
  const outcomes = await Promise.allSettled(pulls);
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(arrived).toBeGreaterThanOrEqual(10);
  expect(failed.length).toBeGreaterThan(0);
  for (const outcome of failed) {
    expect(outcome).toMatchObject({ reason: { code: 'peer-unreachable' } });
  }
  await expect.poll(() => client.connections()).toEqual([]);
});
