import { decodeHolding, decodePackSegment, factHash } from '../../../src/core/format/facts.ts';
import { idBytes, type FactHash } from '../../../src/core/ids.ts';
import { equal, toHex } from '../../../src/base/bytes.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import type { DataChecker, DataSeen } from '../observation.ts';
import { shardName } from '../shard-files.ts';

/** A peer signs for what lies on its disk for good, and for nothing else. */
export class TrueReceipts implements DataChecker {
  readonly name = 'true-receipts';
  /** The newest receipt of each. */
  readonly #said = new Map<string, number>();

  observe(seen: DataSeen, cluster: DataCluster): string | undefined {
    if (seen.kind !== 'statement') return undefined;
    const { agent, event } = seen;
    const { body, writer, sequence } = event.statement;
    if (writer !== agent.agentKey || body.kind !== 'receipt') return undefined;
    // What it learns again of itself, after its disk went back, it does not say now.
    if (!cluster.isHonest(agent) || sequence <= (this.#said.get(writer) ?? 0)) return undefined;
    this.#said.set(writer, sequence);
    for (const hash of body.holdings) {
      const text = this.#holding(agent, hash);
      if (text !== undefined) return `${agent.name}, receipt ${sequence}: ${text}`;
    }
    return undefined;
  }

  #holding({ disk }: DataAgent, hash: FactHash): string | undefined {
    const fact = disk.device.facts.get(toHex(idBytes(hash)));
    // A fault has spoilt it since it was written.
    if (fact !== undefined && !equal(factHash(fact), idBytes(hash))) return undefined;
    if (fact === undefined) return 'the fact that it signs for is not on its disk';
    const { segment, masks } = decodeHolding(fact);
    const list = disk.device.facts.get(toHex(segment));
    if (list !== undefined && !equal(factHash(list), segment)) return undefined;
    if (list === undefined) return 'the packs that it signs for are not on its disk';
    for (const [i, { pack }] of decodePackSegment(list).entries()) {
      for (let index = 0; index < 32; index++) {
        if ((((masks[i] ?? 0) >>> index) & 1) === 0) continue;
        const name = shardName({ pack, index });
        const file = disk.shards.files.get(name);
        if (file?.isDurable === true || disk.shards.harmed.has(name)) continue;
        const how = file === undefined ? 'is not there' : 'would not survive power loss';
        return `${name.slice(0, 8)} ${index} ${how}`;
      }
    }
    return undefined;
  }
}
