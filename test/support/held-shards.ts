import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeShardFileHead, type ShardHead } from '../../src/core/format/shard.ts';

/** A shard's file in the state directory of a site. */
export type HeldShard = {
  readonly path: string;
  readonly pack: string;
  readonly index: number;
  readonly type: 'data' | 'metadata';
  readonly head: ShardHead;
  /** Where the shard's bytes begin in the file. */
  readonly offset: number;
};

/** Names of all that look like shards below a site's state directory, whole or not. */
export function shardFiles(stateDir: string): string[] {
  const names = readdirSync(join(stateDir, 'shards'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{64}\.\d+$/.test(name));
}

/** Whole shards that a site's files hold; damaged ones are left out. */
export function heldShards(stateDir: string): HeldShard[] {
  return shardFiles(stateDir).map((name) => {
    const [pack = '', index = ''] = basename(name).split('.');
    const path = join(stateDir, 'shards', name);
    const { head, size } = decodeShardFileHead(readFileSync(path));
    return { path, pack, index: Number(index), type: head.type, head, offset: size };
  });
}
