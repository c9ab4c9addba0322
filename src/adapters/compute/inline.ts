import { encodePack } from '../../core/coding/pack-coding.ts';
import { reconstruct } from '../../core/coding/reed-solomon.ts';
import { sealFrame } from '../../core/format/frame.ts';
import { openFrameWithIds } from '../../core/format/opened-frame.ts';
import { checkLeaves } from '../../core/format/shard-leaves.ts';
import type { Compute } from '../../ports/compute.ts';

/** The same work on the calling thread: for simulation, where threads would make time uncertain, and for tests. */
export function inlineCompute(): Compute {
  return {
    // Async, so that failures reject here as they do in the pool.
    sealFrame: async (job) => sealFrame(job),
    openFrame: async (job) => openFrameWithIds(job),
    checkLeaves: async (job) => checkLeaves(job),
    encode: async (job) => encodePack(job),
    reconstruct: async (job) => reconstruct(job),
    [Symbol.asyncDispose]: async () => {},
  };
}
