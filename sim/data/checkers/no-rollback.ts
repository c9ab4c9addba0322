import { toHex } from '../../../src/base/bytes.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker, DataSeen } from '../observation.ts';

type Head = { readonly sequence: number; readonly hash: string };

/** Of no sequence does a host ever hold less than before, or something else, unless its disk went back. */
export class NoRollback implements DataChecker {
  readonly name = 'no-rollback';
  readonly #heads = new Map<DataAgent, Map<string, Head>>();

  /** What a host has told its services of must be there after any crash. */
  observe(seen: DataSeen): string | undefined {
    if (seen.kind !== 'statement') return undefined;
    const { agent, event } = seen;
    const { writer, stream, sequence } = event.statement;
    const known = this.#heads.get(agent) ?? new Map<string, Head>();
    this.#heads.set(agent, known);
    const name = `${writer}/${stream}`;
    if (sequence > (known.get(name)?.sequence ?? 0))
      known.set(name, { sequence, hash: event.hash });
    return undefined;
  }

  look(cluster: DataCluster): string | undefined {
    for (const agent of cluster.honest()) {
      if (agent.disk.hasForgotten) this.#heads.delete(agent);
      agent.disk.hasForgotten = false;
      const text = this.#check(agent);
      if (text !== undefined) return `${agent.name}: ${text}`;
    }
    return undefined;
  }

  #check(agent: DataAgent): string | undefined {
    const { device } = agent.disk;
    const known = this.#heads.get(agent) ?? new Map<string, Head>();
    this.#heads.set(agent, known);
    for (const [name, before] of known) {
      const [writer = '', ...stream] = name.split('/');
      const held = device.hashes({ writer, stream: stream.join('/') });
      if (held.length < before.sequence) {
        return `${name.slice(0, 24)} had ${before.sequence} entries and has ${held.length}`;
      }
      if (held[before.sequence - 1] !== before.hash) {
        return `entry ${before.sequence} of ${name.slice(0, 24)} differs`;
      }
    }
    for (const { writer, stream, sequence, hash } of device.heads()) {
      known.set(`${writer}/${stream}`, { sequence, hash: toHex(hash) });
    }
    return undefined;
  }
}
