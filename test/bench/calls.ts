import { SampleCluster } from '../unit/adapters/libp2p/sample-agent.ts';

/**
 * `npm run bench -- calls`: what one request and its answer between two agents cost, both ends together, over a
 * real connection of this machine. Seconds of CPU, which other programs hardly change.
 */
export async function benchCalls(): Promise<void> {
  await using cluster = new SampleCluster();
  const [server, client] = [await cluster.join(), await cluster.join()];
  server.serveCalls(async (_peer, request) => request);
  await client.connect(server.self, server.addresses());
  const rounds = [];
  for (const size of sizes) {
    const request = new Uint8Array(size);
    for (let round = 0; round <= roundsMax; round++) {
      const before = process.cpuUsage();
      for (let i = 0; i < callsPerRound; i++) await client.call(server.self, request);
      const { user, system } = process.cpuUsage(before);
      if (round > 0) rounds.push((user + system) / callsPerRound);
    }
    const best = Math.min(...rounds.splice(0));
    console.log(`${size} bytes: ${Math.round(best)} us of CPU a call, both ends`);
  }
}

const sizes = [100, 10_000];
const callsPerRound = 500;
/** After one that warms up. */
const roundsMax = 5;
