// Apart from shard.ts, so that compute threads need not load what reads and writes messages.

/** Bytes of each shard: whole blocks of 64, so that the coder's vectors need no special end. */
export function shardSizeOf(pack: { readonly k: number; readonly packSize: number }): number {
  return Math.ceil(pack.packSize / pack.k / 64) * 64;
}
