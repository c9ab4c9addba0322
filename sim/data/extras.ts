import { extrasIn } from '../../src/services/tiers/extra-shards.ts';
import type { DataAgent } from './agent.ts';
import { shardName } from './shard-files.ts';

/** Names of the shards that a host has written down as parts of full copies, which may go again. */
export function extrasOn({ disk }: DataAgent): Set<string> {
  const names = new Set<string>();
  for (const [record, bytes] of disk.promises.records) {
    for (const [pack, mask] of extrasIn(record, bytes)) {
      for (let index = 0; index < 8; index++) {
        if (((mask >>> index) & 1) === 1) names.add(shardName({ pack, index }));
      }
    }
  }
  return names;
}
