import { assert } from '../../base/assert.ts';
import type { Xattr } from '../../core/format/tree.ts';
import type { Chunking, FileFacts, ReadBatch, ReadResult, SlabExtent } from '../../ports/source.ts';
import { factsAt, factsSize, putFacts } from './packed-facts.ts';

// What passes between the main thread and a read worker. Facts, extents and chunk ids travel in a few arrays of
// numbers: an object for each file would be cloned one by one.

/** One file, or the part of it from `offset`. Its path leads through a descriptor that the sender keeps open. */
export type FileRequest = {
  readonly path: Uint8Array;
  readonly offset: number;
  readonly sizeMax: number;
};

export type ReadJob = { readonly requests: readonly FileRequest[]; readonly chunking: Chunking };

export type ReadAnswer = PackedOutcomes & {
  readonly slab: Uint8Array<ArrayBuffer>;
  /** Of all chunks of all results, in order, 32 bytes each. */
  readonly ids: Uint8Array<ArrayBuffer>;
};

export type FileOutcome =
  | {
      readonly outcome: 'read';
      readonly facts: FileFacts;
      readonly xattrs: readonly Xattr[];
      readonly isStable: boolean;
      /** Of the extents in file order: positive for a chunk, negative for a hole. */
      readonly lengths: readonly number[];
      readonly next: number | undefined;
    }
  | { readonly outcome: 'vanished' }
  | { readonly outcome: 'failed'; readonly reason: string };

type FileRead = FileOutcome & { outcome: 'read' };

/** Outcomes in few objects, whatever their number. */
export type PackedOutcomes = {
  /** `rowSize` numbers for each: how it ended, extents, where to go on, facts. */
  readonly rows: BigInt64Array<ArrayBuffer>;
  /** Of all outcomes, in order. */
  readonly lengths: Float64Array<ArrayBuffer>;
  /** By the place of the outcome. Most files have none. */
  readonly xattrs: ReadonlyMap<number, readonly Xattr[]>;
  readonly reasons: ReadonlyMap<number, string>;
};

const factsPlace = 3;
const rowSize = factsPlace + factsSize;
/** How it ended. */
const [stable, unstable, vanished, failed] = [0n, 1n, 2n, 3n];
const atEnd = -1n;
const idSize = 32;

export function packOutcomes(outcomes: readonly FileOutcome[]): PackedOutcomes {
  const rows = new BigInt64Array(outcomes.length * rowSize);
  const xattrs = new Map<number, readonly Xattr[]>();
  const reasons = new Map<number, string>();
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.outcome === 'read') {
      putOutcome(rows, i * rowSize, outcome);
      if (outcome.xattrs.length > 0) xattrs.set(i, outcome.xattrs);
    } else {
      rows[i * rowSize] = outcome.outcome === 'failed' ? failed : vanished;
      if (outcome.outcome === 'failed') reasons.set(i, outcome.reason);
    }
  }
  const lengths = outcomes.flatMap((one) => (one.outcome === 'read' ? one.lengths : []));
  return { rows, lengths: Float64Array.from(lengths), xattrs, reasons };
}

function putOutcome(rows: BigInt64Array, at: number, outcome: FileRead): void {
  const { facts, isStable, lengths, next } = outcome;
  rows[at] = isStable ? stable : unstable;
  rows[at + 1] = BigInt(lengths.length);
  rows[at + 2] = next === undefined ? atEnd : BigInt(next);
  putFacts(rows, at + factsPlace, facts);
}

/** Gives every extent its place in the slab and its id. */
export function batchOf({ slab, ids, ...packed }: ReadAnswer): ReadBatch {
  const { rows, lengths, xattrs, reasons } = packed;
  let [offset, idAt, lengthAt] = [0, 0, 0];
  const extentOf = (length: number): SlabExtent => {
    if (length < 0) return { kind: 'hole', length: -length };
    const id = ids.subarray(idAt, idAt + idSize);
    const extent = { kind: 'chunk' as const, offset, length, id };
    offset += length;
    idAt += idSize;
    return extent;
  };
  const resultOf = (i: number): ReadResult => {
    const at = i * rowSize;
    const how = rows[at] as bigint;
    if (how === vanished) return { outcome: 'vanished' };
    if (how === failed) return { outcome: 'failed', reason: reasons.get(i) ?? '' };
    const end = lengthAt + Number(rows[at + 1]);
    const extents: SlabExtent[] = [];
    for (; lengthAt < end; lengthAt++) extents.push(extentOf(lengths[lengthAt] as number));
    const next = rows[at + 2] as bigint;
    return {
      outcome: 'read',
      facts: factsAt(rows, at + factsPlace),
      xattrs: xattrs.get(i) ?? [],
      isStable: how === stable,
      extents,
      next: next === atEnd ? undefined : Number(next),
    };
  };
  const results = Array.from({ length: rows.length / rowSize }, (_, i) => resultOf(i));
  assert(
    offset === slab.length && idAt === ids.length,
    'every byte of a read batch has its extent',
  );
  return { slab, results };
}
