import { isMarkedAsUntransferable } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { ChunkPlace } from '../../core/format/opened-frame.ts';
import type { JobRequest, JobResult } from './job.ts';

/** A message for another thread and the memory that moves with it. */
export type Parcel<Content> = { readonly content: Content; readonly transfer: ArrayBuffer[] };

/** Jobs on their way to a thread, and why some cannot go: by their place among all. */
export type WrappedRequests = Parcel<readonly JobRequest[]> & {
  readonly refused: ReadonlyMap<number, unknown>;
};

/** Bulk bytes move; keys and ids are copied, since the caller uses them for the next frame too. */
export function wrapRequests(requests: readonly JobRequest[]): WrappedRequests {
  const moved = new Set<ArrayBuffer>();
  const content: JobRequest[] = [];
  const refused = new Map<number, unknown>();
  for (const [i, request] of requests.entries()) {
    const mover = new Mover();
    try {
      const wrapped = movedRequest(request, mover);
      // One that fails by itself: in a message it would take the others along.
      const isFree = mover.transfer.every((buffer) => !buffer.detached && !moved.has(buffer));
      assert(isFree, 'memory is given to one job and no other');
      for (const buffer of mover.transfer) moved.add(buffer);
      content.push(wrapped);
    } catch (error) {
      refused.set(i, error);
    }
  }
  return { content, transfer: [...moved], refused };
}

/** All bytes of a result are its own, so all of them move. */
export function wrapResult(result: JobResult): Parcel<JobResult> {
  const mover = new Mover();
  return { content: movedResult(result, mover), transfer: mover.transfer };
}

function movedRequest(request: JobRequest, mover: Mover): JobRequest {
  switch (request.kind) {
    case 'sealFrame': {
      const { plain, key, context, level, givesBuffer } = request.input;
      const bound = { key: shared(key), context: copyContext(context) };
      return {
        kind: 'sealFrame',
        input: { ...bound, level, plain: mover.move(plain, givesBuffer) },
      };
    }
    case 'openFrame': {
      const { sealed, key, context, plainSizeMax, chunks } = request.input;
      const bound = { key: copy(key), context: copyContext(context), plainSizeMax };
      const wanted = chunks && { idKey: copy(chunks.idKey), places: placesOnly(chunks.places) };
      return {
        kind: 'openFrame',
        input: { ...bound, chunks: wanted, sealed: mover.move(sealed) },
      };
    }
    case 'checkLeaves': {
      const { bytes, hashes } = request.input;
      return { kind: 'checkLeaves', input: { bytes: mover.move(bytes), hashes: copy(hashes) } };
    }
    case 'encode': {
      const { parts, k, m } = request.input;
      const moved = parts.map((part) => mover.move(part));
      return { kind: 'encode', input: { k, m, parts: moved } };
    }
    case 'reconstruct': {
      const { k, m, present, wanted } = request.input;
      const moved = present.map(({ index, bytes }) => ({ index, bytes: mover.move(bytes) }));
      return { kind: 'reconstruct', input: { k, m, present: moved, wanted } };
    }
  }
}

function movedResult(result: JobResult, mover: Mover): JobResult {
  const moveAll = (arrays: readonly Uint8Array[]) => arrays.map((bytes) => mover.move(bytes));
  switch (result.kind) {
    case 'sealFrame':
      return { kind: 'sealFrame', output: mover.move(result.output) };
    case 'openFrame': {
      const { plain, ids } = result.output;
      return {
        kind: 'openFrame',
        output: { plain: mover.move(plain, true), ids: mover.move(ids) },
      };
    }
    case 'checkLeaves': {
      const { bytes, bad } = result.output;
      return { kind: 'checkLeaves', output: { bytes: mover.move(bytes), bad } };
    }
    case 'encode': {
      const { shards, leaves, roots } = result.output;
      const output = {
        shards: moveAll(shards),
        leaves: moveAll(leaves),
        roots: moveAll(roots),
      };
      return { kind: 'encode', output };
    }
    case 'reconstruct':
      return { kind: 'reconstruct', output: moveAll(result.output) };
  }
}

class Mover {
  /** A set, since equal shards are one array. */
  readonly #buffers = new Set<ArrayBuffer>();

  get transfer(): ArrayBuffer[] {
    return [...this.#buffers];
  }

  /**
   * The array itself when it has its memory to itself; else a copy, since the rest is someone else's.
   * @param givesBuffer the rest is given, too
   */
  move(bytes: Uint8Array, givesBuffer = false): Uint8Array {
    const { buffer } = bytes;
    const isMovable =
      buffer instanceof ArrayBuffer &&
      (givesBuffer || buffer.byteLength === bytes.byteLength) &&
      !isMarkedAsUntransferable(buffer);
    if (!isMovable) return this.move(copy(bytes));
    this.#buffers.add(buffer);
    return bytes;
  }
}

/** Cloning a part of a buffer would send all of it. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** Index records are such places, too: what else they hold stays here. */
function placesOnly(places: readonly ChunkPlace[]): ChunkPlace[] {
  return places.map(({ offset, length }) => ({ offset, length }));
}

/** Shared memory stays where it is, so that whoever erases it erases it in every thread. */
function shared(key: Uint8Array): Uint8Array {
  const { buffer } = key;
  const isWhole = buffer.byteLength === key.byteLength;
  return buffer instanceof SharedArrayBuffer && isWhole ? key : copy(key);
}

function copyContext<Context extends { dataset: Uint8Array; salt: Uint8Array }>(
  context: Context,
): Context {
  return { ...context, dataset: copy(context.dataset), salt: copy(context.salt) };
}
