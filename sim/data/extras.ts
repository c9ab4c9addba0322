import { toHex } from '../../src/base/bytes.ts';
import type { DataAgent } from './agent.ts';
import { shardName } from './shard-files.ts';

const idSize = 32;

/** Names of the shards that a host has written down as parts of full copies, which may go again. */
export function extrasOn({ disk }: DataAgent): Set<string> {
  const names = new Set<string>();
  for (const [name, record] of disk.promises.records) {
    if (!name.startsWith('extra-')) continue;
    for (let at = 0; at < record.length; at += idSize + 1) {
      const pack = toHex(record.slice(at, at + idSize));
      const mask = record[at + idSize] ?? 0;
      for (let index = 0; index < 8; index++) {
        if (((mask >>> index) & 1) === 1) names.add(shardName({ pack: pack as never, index }));
      }
    }
  }
  return names;
}
