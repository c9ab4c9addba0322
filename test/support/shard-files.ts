import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openShardStore } from '../../src/adapters/fs/shard-store.ts';
import { encodeShardFileHead } from '../../src/core/format/shard.ts';
import type { PackId } from '../../src/core/ids.ts';
import type { KeyValue } from '../../src/ports/key-value.ts';
import type { ShardStore } from '../../src/ports/shard-store.ts';
import { collectingLog, type LogLine } from './collecting-log.ts';
import { MemoryKeyValue } from './memory-key-value.ts';
import type { SampleShard } from './sample-pack.ts';

export type OpenedStore = AsyncDisposable & {
  readonly store: ShardStore;
  readonly index: KeyValue;
  readonly lines: readonly LogLine[];
};

/** A store on disk, with an index of its own unless one is given. */
export async function openStore(
  directory: string,
  options: { index?: KeyValue; keyPrefix?: string; reserveBytes?: number } = {},
): Promise<OpenedStore> {
  const { index = new MemoryKeyValue(), keyPrefix = 'shards', reserveBytes = 0 } = options;
  const log = collectingLog();
  const store = await openShardStore({ directory, index, keyPrefix, reserveBytes, log });
  const { lines } = log;
  return { store, index, lines, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** Where a shard's file is, or would be. */
export function shardFile(directory: string, name: { pack: PackId; index: number }): string {
  return join(directory, name.pack.slice(0, 2), `${name.pack}.${name.index}`);
}

/** A partial file as a crash may have left it, cut to `size`. @returns its path. */
export function plantPartial(
  directory: string,
  { head, bytes }: SampleShard,
  size: number,
): string {
  const path = `${shardFile(directory, head)}.part`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([encodeShardFileHead(head), bytes]).subarray(0, size));
  return path;
}

export function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

export function swapFiles(one: string, two: string): void {
  renameSync(one, `${one}.swap`);
  renameSync(two, one);
  renameSync(`${one}.swap`, two);
}
