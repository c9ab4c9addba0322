import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openNetwork } from '../../../../src/adapters/libp2p/node.ts';
import { MiB } from '../../../../src/base/units.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import { cluster, newSecret } from './sample-agent.ts';

// Run as a program, this file is an agent that admits everybody, echoes calls and serves pulls of 1 MiB.

export type AgentProcess = Disposable & {
  readonly self: PeerKey;
  readonly addresses: readonly string[];
  /** SIGKILL ends it as a crash does, SIGSTOP as a host that lost power: nothing is said any more. */
  kill(signal: 'SIGKILL' | 'SIGSTOP'): void;
};

export async function startAgentProcess(): Promise<AgentProcess> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['serve'], { execArgv: [] });
  const ready = await new Promise<{ self: PeerKey; addresses: string[] }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { self: PeerKey; addresses: string[] }));
    child.once('exit', () => reject(new Error('the agent process ended')));
  });
  return {
    ...ready,
    kill: (signal) => child.kill(signal),
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  };
}

async function serve(): Promise<void> {
  const network = await openNetwork({
    transportSecret: newSecret(),
    cluster,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    admit: () => true,
    log: { log: () => undefined },
    dht: false,
    gossip: false,
  });
  const bytes = new Uint8Array(MiB).fill(7);
  network.serveCalls(async (_peer, request) => request);
  network.servePulls(async () => ({ bytes }));
  process.once('disconnect', () => process.exit());
  process.send?.({ self: network.self, addresses: network.addresses() });
}

if (process.argv[2] === 'serve') await serve();
