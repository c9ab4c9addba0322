import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { FaultyLink, type LinkState } from '../../../../src/adapters/sandbox/faulty-link.ts';
import { socketOwner } from '../../../../src/adapters/sandbox/socket-owner.ts';
import { pause, until } from '../../../support/cluster.ts';

let state: LinkState = { kind: 'open' };
let server: Server | undefined;
let link: FaultyLink | undefined;
let caller: Socket | undefined;
let heard = '';

afterEach(async () => {
  caller?.destroy();
  await link?.[Symbol.asyncDispose]();
  await new Promise<void>((done) => server?.close(() => done()) ?? done());
});

/** An echo behind a link, and somebody who listens to it. */
async function dial(first: LinkState): Promise<Socket> {
  state = first;
  heard = '';
  const echo = createServer((socket) => socket.pipe(socket).on('error', () => undefined));
  server = echo;
  await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done));
  link = await FaultyLink.open({
    port: (echo.address() as AddressInfo).port,
    callerOf: (port) =>
      socketOwner({ localPort: port, remotePort: link?.port ?? 0 }, [process.pid])?.toString(),
    stateFor: (who) => (who === String(process.pid) ? state : { kind: 'cut' }),
  });
  const socket = connect({ port: link.port, host: '127.0.0.1' });
  socket.on('data', (bytes: Buffer) => {
    heard += bytes.toString();
  });
  socket.on('error', () => undefined);
  caller = socket;
  return socket;
}

const isHeard = (text: string) => async () => heard === text;

describe.skipIf(process.platform !== 'linux')('a faulty link', () => {
  test('passes everything on while it is open, and knows whose connection it is', async () => {
    const socket = await dial({ kind: 'open' });
    socket.write('hello');
    await until('the echo comes', 5000, isHeard('hello'));
    socket.end(' and goodbye');
    await until('the end comes', 5000, isHeard('hello and goodbye'));
  });

  test('is silent while it is cut, and loses nothing when it is mended', async () => {
    const socket = await dial({ kind: 'cut' });
    socket.write('kept');
    await pause(300);
    expect(heard).toBe('');
    expect(socket.destroyed).toBe(false);
    state = { kind: 'open' };
    await until('it is mended', 5000, isHeard('kept'));
  });

  test('closes also while it holds back what nobody will fetch', async () => {
    const socket = await dial({ kind: 'cut' });
    socket.write('lost');
    await new Promise<void>((done) => server?.close(() => done()) ?? done());
    await link?.[Symbol.asyncDispose]();
    link = undefined;
    await until('the caller knows', 5000, async () => socket.destroyed);
  });

  test('takes its time both ways while it is slow', async () => {
    const socket = await dial({ kind: 'slow', delayMs: 100, bytesPerSecond: 100_000 });
    const startMs = performance.now();
    socket.write('x'.repeat(20_000));
    await until('all of it comes', 10_000, async () => heard.length === 20_000);
    // 100 ms each way, and the last of several pieces waits for those before it.
    expect(performance.now() - startMs).toBeGreaterThan(200);
  });
});
