import { assert } from '../../base/assert.ts';
import type { Chunking, FileFacts, ReadBatch, ReadResult, SlabExtent } from '../../ports/source.ts';

// What passes between the main thread and a read worker. Chunk ids travel as one array, extents as plain numbers:
// an object for each would be cloned one by one.

/** One file, or the part of it from `offset`. Its path leads through a descriptor that the sender keeps open. */
export type FileRequest = {
  readonly path: Uint8Array;
  readonly offset: number;
  readonly sizeMax: number;
};

export type ReadJob = { readonly requests: readonly FileRequest[]; readonly chunking: Chunking };

export type ReadAnswer = {
  readonly slab: Uint8Array<ArrayBuffer>;
  /** Of all chunks of all results, in order, 32 bytes each. */
  readonly ids: Uint8Array<ArrayBuffer>;
  readonly outcomes: readonly FileOutcome[];
};

export type FileOutcome =
  | {
      readonly outcome: 'read';
      readonly facts: FileFacts;
      readonly isStable: boolean;
      /** Of the extents in file order: positive for a chunk, negative for a hole. */
      readonly lengths: readonly number[];
      readonly next: number | undefined;
    }
  | { readonly outcome: 'vanished' }
  | { readonly outcome: 'failed'; readonly reason: string };

const idSize = 32;

/** Gives every extent its place in the slab and its id. */
export function batchOf({ slab, ids, outcomes }: ReadAnswer): ReadBatch {
  let offset = 0;
  let idAt = 0;
  const extentOf = (length: number): SlabExtent => {
    if (length < 0) return { kind: 'hole', length: -length };
    const extent = {
      kind: 'chunk' as const,
      offset,
      length,
      id: ids.subarray(idAt, idAt + idSize),
    };
    offset += length;
    idAt += idSize;
    return extent;
  };
  const results = outcomes.map((answer): ReadResult => {
    if (answer.outcome !== 'read') return answer;
    const { facts, isStable, lengths, next } = answer;
    return { outcome: 'read', facts, isStable, extents: lengths.map(extentOf), next };
  });
  assert(
    offset === slab.length && idAt === ids.length,
    'every byte of a read batch has its extent',
  );
  return { slab, results };
}
