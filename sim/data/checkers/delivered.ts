import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker } from '../observation.ts';

/** In the end nothing waits any more for anybody who is there. */
export class Delivered implements DataChecker {
  readonly name = 'delivered';

  settled(cluster: DataCluster): string | undefined {
    const there = cluster.running();
    for (const host of there) {
      const waiting = waitingFor(host).find((key) =>
        there.some(({ agentKey }) => agentKey === key),
      );
      const to = cluster.agents.find(({ agentKey }) => agentKey === waiting)?.name;
      if (waiting !== undefined) return `the outbox of ${host.name} has something for ${to}`;
    }
    return undefined;
  }
}

/** Whom the outbox has something for. */
function waitingFor({ disk }: DataAgent): string[] {
  const prefix = 'outbox/';
  const keys = [...disk.index.entries.keys()].filter((key) => key.startsWith(prefix));
  return [...new Set(keys.map((key) => key.slice(prefix.length).split('/')[0] ?? ''))];
}
