import { encodePack } from '../../src/core/coding/pack-coding.ts';
import { reconstruct } from '../../src/core/coding/reed-solomon.ts';
import { openFrame, sealFrame } from '../../src/core/format/frame.ts';
import { openFrameWithIds } from '../../src/core/format/opened-frame.ts';
import { checkLeaves } from '../../src/core/format/shard-leaves.ts';
import type { Compute } from '../../src/ports/compute.ts';

/** What does the work of the compute port: shipped, or of a copy with a bug in it. */
export type ComputeParts = {
  readonly encodePack: typeof encodePack;
  readonly reconstruct: typeof reconstruct;
  readonly openFrame: typeof openFrame;
  readonly sealFrame: typeof sealFrame;
};

export const shippedCompute: ComputeParts = { encodePack, reconstruct, openFrame, sealFrame };

/** On the calling thread; `pause` is the time that the pool would take. */
export function simCompute(parts: ComputeParts, pause: () => Promise<void>): Compute {
  const later = async <Job, Result>(job: Job, work: (job: Job) => Result): Promise<Result> => {
    await pause();
    return work(job);
  };
  return {
    sealFrame: (job) => later(job, parts.sealFrame),
    openFrame: (job) => later(job, (one) => openFrameWithIds(one, parts.openFrame)),
    checkLeaves: (job) => later(job, checkLeaves),
    encode: (job) => later(job, parts.encodePack),
    reconstruct: (job) => later(job, parts.reconstruct),
    [Symbol.asyncDispose]: async () => {},
  };
}
