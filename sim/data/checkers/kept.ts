import { equal } from '../../../src/base/bytes.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import { extrasOn } from '../extras.ts';
import type { DataChecker } from '../observation.ts';

/** A shard that an honest peer has for good stays, and stays as it is, unless it was marked as extra before. */
export class Kept implements DataChecker {
  readonly name = 'kept';
  readonly #known = new Map<DataAgent, Map<string, Uint8Array>>();

  look(cluster: DataCluster): string | undefined {
    for (const agent of cluster.honest()) {
      const text = this.#check(agent);
      if (text !== undefined) return `${agent.name}: ${text}`;
    }
    return undefined;
  }

  #check(agent: DataAgent): string | undefined {
    const { files, harmed } = agent.disk.shards;
    const known = this.#known.get(agent) ?? new Map<string, Uint8Array>();
    this.#known.set(agent, known);
    for (const [name, before] of known) {
      const file = files.get(name);
      if (harmed.has(name) || this.mayExpire(name)) known.delete(name);
      else if (file === undefined) return `shard ${name.slice(0, 8)} is gone`;
      else if (file.bytes !== before && !equal(file.bytes, before)) {
        return `shard ${name.slice(0, 8)} has changed`;
      }
    }
    const extras = extrasOn(agent);
    for (const [name, file] of files) {
      if (file.isDurable && !harmed.has(name) && !extras.has(name)) known.set(name, file.bytes);
    }
    return undefined;
  }

  /** Nothing is ever deleted yet. */
  mayExpire(_name: string): boolean {
    return false;
  }
}
