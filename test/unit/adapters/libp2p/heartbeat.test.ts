import { multiaddr } from '@multiformats/multiaddr';
import { expect, test } from 'vitest';
import { Heartbeat } from '../../../../src/adapters/libp2p/heartbeat.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { startAgentProcess } from './agent-process.ts';
import { bareNode } from './stream-pair.ts';

const pace = { periodMs: 50, patienceMs: 250 };

test('a connection is kept while its far end answers, and cut when it has fallen silent', async () => {
  await using node = await startedNode();
  using agent = await startAgentProcess();
  const connection = await node.dial(multiaddr(agent.addresses[0]));
  const log = collectingLog();
  using _heartbeat = new Heartbeat(() => node.getConnections(), log, pace);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(connection.status).toBe('open');
  agent.kill('SIGSTOP');
  await expect.poll(() => connection.status, { timeout: 5000 }).toBe('aborted');
  expect(log.lines.map(({ message }) => message)).toContain(
    'cut a connection that does not answer',
  );
});

async function startedNode() {
  const node = await bareNode([]);
  await node.start();
  return Object.assign(node, { [Symbol.asyncDispose]: async () => node.stop() });
}
