import { SampleCluster } from '../unit/adapters/libp2p/sample-agent.ts';

/**
 * `npm run bench -- calls`: what a request and its answer between two agents cost, both ends together, over a real
 * connection of this machine; beside it a ping, which opens a stream of its own. Seconds of CPU, which other
 * programs change less than those of the clock.
 */
export async function benchCalls(): Promise<void> {
  await using cluster = new SampleCluster();
  const [server, client] = [await cluster.join(), await cluster.join()];
  server.serveCalls(async (_peer, request) => request);
  await client.connect(server.self, server.addresses());
  for (const size of sizes) {
    const request = new Uint8Array(size);
    await tell(`a call with ${size} bytes`, () => client.call(server.self, request));
  }
  await tell('a ping', () => client.ping(server.self));
}

async function tell(what: string, work: () => Promise<unknown>): Promise<void> {
  const costs: number[] = [];
  for (let round = 0; round <= roundsMax; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < timesPerRound; i++) await work();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) costs.push((user + system) / timesPerRound);
  }
  costs.sort((a, b) => a - b);
  console.log(`${what}: ${Math.round(costs[roundsMax >> 1] ?? 0)} us of CPU (${roundsMax} rounds)`);
}

const sizes = [100, 10_000];
const timesPerRound = 300;
/** After one that warms up. */
const roundsMax = 5;
