import { availableParallelism } from 'node:os';
import { openComputePool } from '../../adapters/compute/pool.ts';
import { growFreely } from '../../adapters/system/allocator.ts';
import type { Compute } from '../../ports/compute.ts';

/** What the restore of one file takes, of a large tree. */
const firstHere = 64;

/** For a command that may be over before threads would have started. */
export function commandCompute(threadsMax: number): Compute {
  const threads = Math.min(threadsMax, availableParallelism());
  return openComputePool({ threads, firstHere, beforeThreads: growFreely });
}
