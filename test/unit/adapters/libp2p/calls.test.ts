import { expect, test } from 'vitest';
import { CallClient, CallServer } from '../../../../src/adapters/libp2p/calls.ts';
import { framed, StreamReader, writeAll } from '../../../../src/adapters/libp2p/stream-io.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { bareServer, rawStream } from './raw-peer.ts';
import { cluster as clusterId, SampleCluster } from './sample-agent.ts';
import { StreamPair } from './stream-pair.ts';

const protocol = `/holdfast/${clusterId.slice(0, 8)}/call/2`;
const ask = framed(Uint8Array.of(1));

test('sixteen calls of a peer run, sixty-four wait, and more are reset', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  let running = 0;
  server.serveCalls(() => {
    running += 1;
    return new Promise(() => undefined);
  });
  await using raw = await rawStream(cluster, server, protocol);
  const { connection } = raw;
  const streams = [raw.stream];
  for (let i = 1; i < 90; i++) {
    streams.push(await connection.newStream(protocol, { maxOutboundStreams: 1000 }));
  }
  for (const stream of streams) if (stream.status === 'open') stream.send(ask);
  const open = () => streams.filter(({ status }) => status === 'open').length;
  await expect.poll(open).toBe(16 + 64);
  await expect.poll(() => running).toBe(16);
});

test('a peer that keeps its calls waiting holds nobody else up', async () => {
  await using cluster = new SampleCluster();
  const [server, busy, other] = [await cluster.join(), await cluster.join(), await cluster.join()];
  server.serveCalls(async (peer, request) => {
    if (peer === busy.self) await new Promise(() => undefined);
    return request;
  });
  await busy.connect(server.self, server.addresses());
  await other.connect(server.self, server.addresses());
  const held = Array.from({ length: 40 }, () => busy.call(server.self, Uint8Array.of(1)));
  const outcomes = Promise.allSettled(held);
  expect(await other.call(server.self, Uint8Array.of(2))).toEqual(Uint8Array.of(2));
  await busy.disconnect(server.self);
  await outcomes;
});

test('calls that were given up free their places', async () => {
  await using cluster = new SampleCluster();
  const [server, client] = [await cluster.join(), await cluster.join()];
  let isBlocked = true;
  server.serveCalls(async (_peer, request, { signal }) => {
    if (!isBlocked) return request;
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  });
  await client.connect(server.self, server.addresses());
  const given = Array.from({ length: 150 }, () =>
    client.call(server.self, Uint8Array.of(1), { timeoutMs: 300 }),
  );
  for (const outcome of await Promise.allSettled(given)) {
    expect(outcome).toMatchObject({ reason: { code: 'timeout' } });
  }
  isBlocked = false;
  expect(await client.call(server.self, Uint8Array.of(3))).toEqual(Uint8Array.of(3));
});

test('answered calls leave no stream behind', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  server.serveCalls(async (_peer, request) => request);
  await using raw = await rawStream(cluster, server, protocol);
  for (let i = 0; i < 50; i++) {
    const stream = i === 0 ? raw.stream : await raw.connection.newStream(protocol);
    using reader = new StreamReader(stream);
    await writeAll(stream, ask, 5000);
    await stream.close();
    expect(await reader.readExactly(ask.length, 5000)).toEqual(ask);
  }
  const open = () => raw.connection.streams.filter((s) => s.protocol === protocol).length;
  await expect.poll(open).toBe(0);
});

/** A peer that gives this answer to every request, and a client connected to it. */
async function answeredWith(cluster: SampleCluster, answer: Uint8Array) {
  const client = await cluster.join();
  const streams = { opened: 0 };
  const server = await bareServer(protocol, async (stream) => {
    streams.opened += 1;
    using reader = new StreamReader(stream);
    const bounds = { sizeMax: 100, idleMs: 5000 };
    while (await reader.readFrame(bounds)) await writeAll(stream, answer, 5000);
  });
  cluster.members.add(server.self);
  await client.connectTo(server.address);
  const call = () => client.call(server.self, Uint8Array.of(1));
  return { call, streams, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test('calls one after another share a stream, calls at once have their own', async () => {
  await using cluster = new SampleCluster();
  await using peer = await answeredWith(cluster, ask);
  for (let i = 0; i < 20; i++) expect(await peer.call()).toEqual(Uint8Array.of(1));
  expect(peer.streams.opened).toBe(1);
  await Promise.all(Array.from({ length: 5 }, peer.call));
  await Promise.all(Array.from({ length: 5 }, peer.call));
  expect(peer.streams.opened).toBe(5);
});

test('a stream on which the peer has said more than it was asked for is not used again', async () => {
  await using cluster = new SampleCluster();
  await using peer = await answeredWith(
    cluster,
    Uint8Array.of(...ask, ...framed(Uint8Array.of(9))),
  );
  for (let i = 0; i < 3; i++) {
    expect(await peer.call()).toEqual(Uint8Array.of(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(peer.streams.opened).toBe(3);
});

test('a stream without calls ends after its time, and one with a long call does not', async () => {
  await using pair = await StreamPair.open();
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const server = new CallServer(() => true, { log: () => undefined });
  server.serve(async (_peer, request) => {
    await new Promise((done) => setTimeout(done, 300));
    return request;
  });
  pair.arriving((stream) => {
    server.accept(stream, 'aa'.repeat(32) as PeerKey);
    resolve();
  });
  const client = new CallClient(pair.protocol, 100);
  const options = { timeoutMs: 5000, peer: 'bb'.repeat(32) as PeerKey };
  expect(await client.call(pair.connection, ask, options)).toEqual(ask);
  await connected;
  expect(pair.openStreams()).toBe(2);
  await expect.poll(() => pair.openStreams()).toBe(0);
});

test('who was put out is not answered on a stream that is older than that', async () => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  server.serveCalls(async (_peer, request) => request);
  await using raw = await rawStream(cluster, server, protocol);
  using reader = new StreamReader(raw.stream);
  await writeAll(raw.stream, ask, 5000);
  expect(await reader.readExactly(ask.length, 5000)).toEqual(ask);
  for (const member of cluster.members) if (member !== server.self) cluster.members.delete(member);
  await writeAll(raw.stream, ask, 5000);
  await expect(reader.readExactly(1, 5000)).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test.each([
  ['says nothing', 'peer-unreachable', new Uint8Array()],
  ['stops inside its answer', 'peer-unreachable', framed(new Uint8Array(9)).subarray(0, 8)],
  ['says too much', 'limit-exceeded', framed(new Uint8Array(limits.messageSizeMax + 1))],
])('a peer that %s fails the call: %s', async (_, code, answer) => {
  await using cluster = new SampleCluster();
  const client = await cluster.join();
  await using server = await bareServer(protocol, async (stream) => {
    using reader = new StreamReader(stream);
    await reader.readFrame({ sizeMax: 100, idleMs: 5000 });
    await writeAll(stream, answer, 5000);
    await stream.close();
  });
  cluster.members.add(server.self);
  await client.connectTo(server.address);
  const call = client.call(server.self, Uint8Array.of(1));
  await expect(call).rejects.toMatchObject({ code });
});

test.each([
  ['no request', new Uint8Array()],
  ['too long a request', framed(new Uint8Array(limits.messageSizeMax + 1))],
])('a stream with %s reaches no handler and is reset', async (_, sent) => {
  await using cluster = new SampleCluster();
  const server = await cluster.join();
  let calls = 0;
  server.serveCalls(async (_peer, request) => {
    calls += 1;
    return request;
  });
  await using raw = await rawStream(cluster, server, protocol);
  using reader = new StreamReader(raw.stream);
  await writeAll(raw.stream, sent, 5000).catch(() => undefined);
  await raw.stream.close().catch(() => undefined);
  await expect(reader.readExactly(1, 5000)).rejects.toMatchObject({ code: 'peer-unreachable' });
  await expect.poll(() => raw.stream.status).toBe('reset');
  expect(calls).toBe(0);
});
