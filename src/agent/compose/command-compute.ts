import { availableParallelism } from 'node:os';
import { openComputePool } from '../../adapters/compute/pool.ts';
import type { Compute } from '../../ports/compute.ts';

/** What the restore of one file takes, of a large tree. */
const firstHere = 64;

/** For a command that may be over before threads would have started. */
export function commandCompute(threadsMax: number): Compute {
  return openComputePool({ threads: Math.min(threadsMax, availableParallelism()), firstHere });
}
