import { toHex } from '../../../src/base/bytes.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker } from '../observation.ts';

/** In the end all honest members know the same statements. */
export class Converged implements DataChecker {
  readonly name = 'converged';

  settled(cluster: DataCluster): string | undefined {
    const [first, ...others] = cluster.running().map((host) => ({ host, heads: headsOf(host) }));
    if (first === undefined) return undefined;
    for (const { host, heads } of others) {
      for (const name of new Set([...first.heads.keys(), ...heads.keys()])) {
        const [a, b] = [first.heads.get(name), heads.get(name)];
        if (a !== b)
          return `${name.slice(0, 24)} is ${a} at ${first.host.name}, ${b} at ${host.name}`;
      }
    }
    return undefined;
  }
}

/** Of sequences that nobody has forked: of those each keeps what it saw first. */
function headsOf({ agent, disk }: DataAgent): Map<string, string> {
  const heads = new Map<string, string>();
  for (const { writer, stream, sequence, hash } of disk.device.heads()) {
    const isForked = stream.startsWith('forks/') || agent?.ledger.isFrozen(writer, stream) === true;
    if (!isForked) heads.set(`${writer}/${stream}`, `${sequence} ${toHex(hash).slice(0, 8)}`);
  }
  return heads;
}
