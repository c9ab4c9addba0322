import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dayMs } from '../../base/units.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import {
  bucketOf,
  type Damage,
  fileNameOf,
  parseFileName,
  parseWholeShard,
  type ShardName,
} from './shard-file.ts';
import type { PackHolding } from './shard-listing.ts';
import { errnoOf } from './system-error.ts';

/** A transfer that nobody has gone on with for so long is not offered any more. */
const partialAgeMaxMs = 7 * dayMs;

export type Survey = {
  readonly found: ReadonlyMap<PackId, PackHolding>;
  readonly damaged: readonly (ShardName & Damage)[];
};

/**
 * What the files of one bucket say is held. Shards in `known` are taken as good by their names; the heads
 * and sizes of the others are checked. Removes partial files that nobody has touched for a week.
 */
export async function surveyBucket(options: {
  directory: string;
  bucket: string;
  known: ReadonlyMap<PackId, PackHolding>;
  isInUse: (name: ShardName) => boolean;
}): Promise<Survey> {
  const directory = join(options.directory, options.bucket);
  const found = new Map<PackId, PackHolding>();
  const damaged: (ShardName & Damage)[] = [];
  for (const fileName of await namesIn(directory)) {
    const name = parseFileName(fileName);
    if (name === undefined || bucketOf(name.pack) !== options.bucket) continue;
    const path = join(directory, fileName);
    if (name.isPartial) {
      if (!options.isInUse(name)) await removeStale(path);
      continue;
    }
    const known = options.known.get(name.pack);
    const isKnown = known !== undefined && (known.mask & (1 << name.index)) !== 0;
    const shard = isKnown ? { size: known.size } : await inspectFile(path, name);
    if ('problem' in shard) damaged.push({ ...name, ...shard });
    else {
      const mask = (found.get(name.pack)?.mask ?? 0) | (1 << name.index);
      found.set(name.pack, { mask: mask >>> 0, size: shard.size });
    }
  }
  return { found, damaged };
}

/** The shard's size, when the file is that shard's by head and size. Its leaves are not read. */
export async function inspectFile(
  path: string,
  name: ShardName,
): Promise<{ readonly size: number } | Damage> {
  const file = await open(path, 'r');
  try {
    const shard = await parseWholeShard(file, name);
    return 'problem' in shard ? shard : { size: shardSizeOf(shard.head) };
  } finally {
    await file.close();
  }
}

/** The first free name for a damaged shard in the quarantine; undefined when that holds enough already. */
export async function quarantineName(
  directory: string,
  name: ShardName,
  countMax: number,
): Promise<string | undefined> {
  const held = new Set(await namesIn(directory));
  if (held.size >= countMax) return undefined;
  let n = 0;
  while (held.has(`${fileNameOf(name)}.${n}`)) n++;
  return `${fileNameOf(name)}.${n}`;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function removeStale(path: string): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > partialAgeMaxMs) await rm(path, { force: true });
}
