import { createConnection, createServer, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { openNetwork } from '../../src/adapters/libp2p/node.ts';
import { mapLimit } from '../../src/base/concurrency.ts';
import { MiB } from '../../src/base/units.ts';
import type { ClusterId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Network } from '../../src/ports/network.ts';
import type { Stage } from './stages.ts';

const bytes = 64 * MiB;
const pulledAtOnce = limits.pullLeavesMax * limits.leafSize;

/** Shards between two members on loopback, both ends in one thread: a second of it is a second of both together. */
export async function networking(noise: Uint8Array, stack: AsyncDisposableStack): Promise<Stage[]> {
  const [reader, holder] = [stack.use(await open()), stack.use(await open())];
  await reader.connect(holder.self, holder.addresses());
  const answer = noise.subarray(0, pulledAtOnce);
  holder.servePulls(async () => ({ bytes: answer }));
  const pulls = Array.from({ length: bytes / pulledAtOnce }, (_, i) => i);
  const pull = async (i: number): Promise<void> => {
    const leaf = (i % 4) * limits.pullLeavesMax;
    const place = { pack: new Uint8Array(32), index: 0, leaf, count: limits.pullLeavesMax };
    await reader.pull(holder.self, { ...place, withHead: false });
  };
  const raw = await openRaw(answer, stack);
  return [
    {
      name: 'pull',
      words: 'pull shards from a member, authenticated and encrypted, both ends',
      bytes,
      run: () => mapLimit(pulls, limits.pullsOutstandingMax, pull),
      limit: raw,
      limitWords: 'TCP alone, both ends',
      isTimedByClock: true,
    },
  ];
}

function open(): Promise<Network> {
  return openNetwork({
    transportSecret: Uint8Array.from(randomBytes(32)),
    cluster: 'c1'.repeat(32) as ClusterId,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    admit: () => true,
    log: { log: () => undefined },
    dht: false,
    gossip: false,
  });
}

/** Asks for one piece after another, several at once, as bytes of no meaning. */
async function openRaw(
  answer: Uint8Array,
  stack: AsyncDisposableStack,
): Promise<() => Promise<void>> {
  const server = createServer((socket) => {
    socket.on('data', (asked) => {
      for (let i = 0; i < asked.length; i++) socket.write(answer);
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const socket: Socket = createConnection({ port, host: '127.0.0.1' });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  stack.defer(() => {
    socket.destroy();
    server.close();
  });
  return () =>
    new Promise((resolve) => {
      let left = bytes;
      let asked = 0;
      const ask = (): void => {
        if (asked++ * pulledAtOnce < bytes) socket.write('?');
      };
      const take = (piece: Buffer): void => {
        const before = Math.ceil(left / pulledAtOnce);
        left -= piece.length;
        for (let i = Math.ceil(left / pulledAtOnce); i < before; i++) ask();
        if (left > 0) return;
        socket.off('data', take);
        resolve();
      };
      socket.on('data', take);
      for (let i = 0; i < limits.pullsOutstandingMax; i++) ask();
    });
}
