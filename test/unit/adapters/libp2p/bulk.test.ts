import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../../../../src/adapters/system/host.ts';
import { MiB } from '../../../../src/base/units.ts';
import { BulkDoor } from '../../../../src/adapters/libp2p/bulk-door.ts';
import { helloOf, newTicket } from '../../../../src/adapters/libp2p/bulk-ticket.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import type { Network } from '../../../../src/ports/network.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { pullRequest as request, SampleCluster } from './sample-agent.ts';

const content = new Uint8Array(randomBytes(MiB));

/** What a wire does with the sockets that come after the first, which is the libp2p connection. */
type Wire = { readonly sockets: Socket[]; readonly address: string };

/** Two members, the one connected to the other over a wire that the test may meddle with. */
async function connected(
  cluster: SampleCluster,
  meddle: (socket: Socket, number: number) => 'refuse' | ((bytes: Buffer) => void) | undefined,
): Promise<{ left: Network; right: Network; wire: Wire; messages: () => string[] }> {
  const log = collectingLog();
  const farPort = await freePort('127.0.0.1', 0);
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    const verdict = meddle(socket, sockets.push(socket));
    if (verdict === 'refuse') {
      socket.destroy();
      return;
    }
    const far = connect(farPort, '127.0.0.1');
    far.on('data', (bytes) => {
      verdict?.(bytes);
      socket.write(bytes);
    });
    socket.on('data', (bytes) => far.write(bytes));
    for (const [one, other] of [[far, socket] as const, [socket, far] as const]) {
      one.on('close', () => other.destroy()).on('error', () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const address = `/ip4/127.0.0.1/tcp/${port}`;
  // Nothing but the wire leads to it.
  const right = await cluster.join({
    listen: [`/ip4/127.0.0.1/tcp/${farPort}`],
    announce: [address],
  });
  right.servePulls(async () => ({ bytes: content }));
  const left = await cluster.join({ listen: [], log });
  await left.connect(right.self, [address]);
  const messages = (): string[] => log.lines.map(({ message }) => message);
  return { left, right, wire: { sockets, address }, messages };
}

test.each([
  ['a socket of its own gives', 0, 0],
  ['the connection, which sends it later, does not give', 'refuse', MiB],
] as const)('%s the memory back of what was given away', async (_, verdict, left) => {
  await using cluster = new SampleCluster();
  const { left: asker, right } = await connected(cluster, (_, number) =>
    verdict === 'refuse' && number > 1 ? verdict : undefined,
  );
  const [own, shared] = [content.slice(), content.slice()];
  const answers = [{ bytes: own, isGivenAway: true }, { bytes: shared }];
  right.servePulls(async () => answers.shift() ?? { bytes: content });
  for (let i = 0; i < 3; i++) {
    const { bytes } = await asker.pull(right.self, request);
    expect(Buffer.compare(bytes, content)).toBe(0);
  }
  expect([own.length, shared.length]).toEqual([left, MiB]);
});

const withoutLine = 'bulk data goes through the connection: no line of its own could be opened';

test('bulk data comes on a socket of its own, through the same port', async () => {
  await using cluster = new SampleCluster();
  let bytesBeside = 0;
  const { left, right, wire, messages } = await connected(cluster, (_, number) => {
    return number === 1 ? undefined : (bytes) => (bytesBeside += bytes.length);
  });
  const { bytes } = await left.pull(right.self, request);
  expect(Buffer.compare(bytes, content)).toBe(0);
  expect(wire.sockets).toHaveLength(2);
  expect(bytesBeside).toBeGreaterThan(MiB);
  expect(messages()).not.toContain(withoutLine);
});

test('where no such socket can be opened, bulk data comes through the connection', async () => {
  await using cluster = new SampleCluster();
  const { left, right, wire, messages } = await connected(cluster, (_, number) =>
    number === 1 ? undefined : 'refuse',
  );
  for (let i = 0; i < 2; i++) {
    const { bytes } = await left.pull(right.self, request);
    expect(Buffer.compare(bytes, content)).toBe(0);
  }
  // Tried once, and not again for a while.
  expect(wire.sockets).toHaveLength(2);
  expect(messages().filter((message) => message === withoutLine)).toHaveLength(1);
});

test('when the two meet again, a line is tried again', async () => {
  await using cluster = new SampleCluster();
  let isOpen = false;
  const { left, right, wire } = await connected(cluster, (_, number) =>
    isOpen || number === 1 ? undefined : 'refuse',
  );
  await left.pull(right.self, request);
  isOpen = true;
  await left.disconnect(right.self);
  await left.connect(right.self, [wire.address]);
  await left.pull(right.self, request);
  expect(wire.sockets).toHaveLength(4);
});

test('a bit flipped on the wire fails the pull, and the next one comes on another line', async () => {
  await using cluster = new SampleCluster();
  let isMeddling = true;
  const { left, right } = await connected(cluster, (_, number) => {
    if (number === 1) return undefined;
    return (bytes) => {
      if (isMeddling && bytes.length > 100) bytes[50] = (bytes[50] as number) ^ 1;
    };
  });
  await expect(left.pull(right.self, request)).rejects.toMatchObject({ code: 'peer-unreachable' });
  isMeddling = false;
  expect((await left.pull(right.self, request)).bytes).toHaveLength(MiB);
});

test('a line that is cut fails its pulls, and the next one is opened', async () => {
  await using cluster = new SampleCluster();
  const { left, right, wire } = await connected(cluster, () => undefined);
  await left.pull(right.self, request);
  right.servePulls(() => new Promise(() => undefined));
  const waiting = left.pull(right.self, request);
  const outcome = expect(waiting).rejects.toMatchObject({ code: 'peer-unreachable' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  wire.sockets[1]?.destroy();
  await outcome;
  right.servePulls(async () => ({ bytes: content }));
  expect((await left.pull(right.self, request)).bytes).toHaveLength(MiB);
  expect(wire.sockets).toHaveLength(3);
});

test('who is no member any more is cut off from its lines', async () => {
  await using cluster = new SampleCluster();
  const { left, right, wire } = await connected(cluster, () => undefined);
  await left.pull(right.self, request);
  const line = wire.sockets[1] as Socket;
  const gone = new Promise((resolve) => line.once('close', resolve));
  cluster.members.delete(left.self);
  await right.enforceAdmission();
  await gone;
  await expect(left.pull(right.self, request)).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('who has no ticket, or a used one, is cut', async () => {
  await using cluster = new SampleCluster();
  const said: Buffer[] = [];
  const { left, right, wire } = await connected(cluster, (socket, number) => {
    if (number === 2) socket.on('data', (bytes) => said.push(bytes));
    return undefined;
  });
  await left.pull(right.self, request);
  const port = Number(wire.address.split('/').at(-1));
  // What was overheard: the greeting and the name of the ticket, in the clear.
  const overheard = Buffer.concat(said).subarray(0, helloOf(newTicket()).length);
  for (const hello of [overheard, helloOf(newTicket())]) {
    const socket = connect(port, '127.0.0.1');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(hello);
    socket.resume();
    await ended;
    expect(socket.bytesRead).toBe(0);
  }
});

test('a greeting that comes byte by byte is understood, and what others say is theirs, whole', async () => {
  const peer = 'aa'.repeat(32) as PeerKey;
  const lines: PeerKey[] = [];
  const others: Buffer[] = [];
  using door = new BulkDoor((_, from) => lines.push(from));
  const server = createServer((socket) => socket.on('data', (bytes) => others.push(bytes)));
  onTestFinished(() => {
    server.close();
  });
  door.guard(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  for (const said of [helloOf(door.issue(peer)), Buffer.from('\0holdfast, but not so')]) {
    const socket = connect(port, '127.0.0.1').setNoDelay(true).resume();
    onTestFinished(() => {
      socket.destroy();
    });
    for (const byte of said) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await vi.waitUntil(() => lines.length > 0 && Buffer.concat(others).length > 20);
  expect(lines).toEqual([peer]);
  expect(Buffer.concat(others).toString()).toBe('\0holdfast, but not so');
});
