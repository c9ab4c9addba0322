import type { PackEntry } from '../core/format/facts.ts';
import { shardSizeOf } from '../core/format/shard.ts';
import { limits } from '../core/limits.ts';
import type { LeafRange } from './leaf-fetcher.ts';

/** A part of one data shard, small enough for one request. */
export type Span = LeafRange & { readonly row: number };

/** The parts of data shards that cover a range of the pack. */
export function* spansOf(entry: PackEntry, offset: number, size: number): Generator<Span> {
  const shardSize = shardSizeOf({ k: entry.k, packSize: entry.size });
  const end = offset + size;
  for (let row = Math.floor(offset / shardSize); row * shardSize < end; row++) {
    const start = row * shardSize;
    const first = Math.floor(Math.max(0, offset - start) / limits.leafSize);
    const last = Math.ceil(Math.min(shardSize, end - start) / limits.leafSize);
    for (let leaf = first; leaf < last; leaf += limits.pullLeavesMax) {
      yield { row, leaf, count: Math.min(limits.pullLeavesMax, last - leaf) };
    }
  }
}

/** Puts what a span holds of the wanted range where it belongs, if anything; padding and rests fall away. */
export function copySpan(
  entry: PackEntry,
  span: Span,
  from: Uint8Array,
  to: { bytes: Uint8Array; offset: number },
): void {
  const shardSize = shardSizeOf({ k: entry.k, packSize: entry.size });
  const at = span.row * shardSize + span.leaf * limits.leafSize - to.offset;
  const skip = Math.max(0, -at);
  const room = to.bytes.length - Math.max(0, at);
  if (room <= 0 || skip >= from.length) return;
  to.bytes.set(from.subarray(skip, skip + room), Math.max(0, at));
}
