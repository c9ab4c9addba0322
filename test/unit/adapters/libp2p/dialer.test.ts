import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { SampleCluster } from './sample-agent.ts';

test('what is no address is an error of usage', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join({ listen: [] });
  for (const text of ['nowhere', '/', '', '192.0.2.1:0', 'host:70000', '/nonsense/1']) {
    await expect(member.connectTo(text)).rejects.toMatchObject({ code: 'usage' });
  }
});

test('an address where nobody listens is unreachable at once', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join({ listen: [] });
  const start = performance.now();
  const dial = member.connectTo('127.0.0.1:1');
  await expect(dial).rejects.toMatchObject({ code: 'peer-unreachable' });
  await expect(dial).rejects.toThrow('cannot reach 127.0.0.1:1: ');
  expect(performance.now() - start).toBeLessThan(3000);
});

test('an address of a transport that is not spoken is unreachable', async () => {
  await using cluster = new SampleCluster();
  const [member, other] = [await cluster.join(), await cluster.join()];
  const dial = member.connect(other.self, ['/ip4/192.0.2.1/udp/1/quic-v1', 'nonsense']);
  await expect(dial).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('dead addresses before the good one do not matter', async () => {
  await using cluster = new SampleCluster();
  const [member, other] = [await cluster.join(), await cluster.join()];
  await member.connect(other.self, ['127.0.0.1:1', 'nonsense', ...other.addresses()]);
  expect(member.connections()).toMatchObject([{ peer: other.self }]);
});

test('an agent does not connect to itself', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join();
  const dial = member.connectTo(member.addresses()[0] as string);
  await expect(dial).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('a server that accepts and says nothing is given up in seconds, or when the caller does', async () => {
  await using cluster = new SampleCluster();
  await using silent = await silentServer();
  const member = await cluster.join({ listen: [] });
  const start = performance.now();
  const cancelled = member.connectTo(silent.address, { signal: AbortSignal.timeout(50) });
  await expect(cancelled).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(performance.now() - start).toBeLessThan(2000);
  const dial = member.connectTo(silent.address);
  await expect(dial).rejects.toMatchObject({ code: 'peer-unreachable' });
  expect(performance.now() - start).toBeLessThan(12_000);
});

async function silentServer(): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    address: `127.0.0.1:${bound.port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}
