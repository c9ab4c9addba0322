import { KeyedHasher } from '../crypto/hash.ts';
import { openFrame } from './frame.ts';

/** Where a chunk lies in its opened frame. */
export type ChunkPlace = { readonly offset: number; readonly length: number };

/** Chunks whose ids are wanted, and the key that makes ids of them (32 bytes). */
export type WantedChunks = { readonly idKey: Uint8Array; readonly places: readonly ChunkPlace[] };

/** A frame's content, and the ids of the wanted chunks as they are: 32 bytes each, in their order. */
export type OpenedFrame = { readonly plain: Uint8Array; readonly ids: Uint8Array };

export type OpenFrameJob = Parameters<typeof openFrame>[0] & {
  readonly chunks?: WantedChunks | undefined;
};

/**
 * Opens a frame and hashes chunks of it while they are at hand.
 * @param open what opens frames: others than the shipped one have bugs on purpose
 * @throws HoldfastError corrupt
 */
export function openFrameWithIds(job: OpenFrameJob, open = openFrame): OpenedFrame {
  const plain = open(job);
  if (job.chunks === undefined) return { plain, ids: new Uint8Array(0) };
  const { idKey, places } = job.chunks;
  const hasher = new KeyedHasher(idKey);
  const ids = new Uint8Array(places.length * 32);
  for (const [i, { offset, length }] of places.entries()) {
    ids.set(hasher.hash(plain.subarray(offset, offset + length)), i * 32);
  }
  return { plain, ids };
}
