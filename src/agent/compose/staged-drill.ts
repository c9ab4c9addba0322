import { relative } from 'node:path';
import { compareTrees } from '../../adapters/fs/compare.ts';
import { stagingAreas } from '../../adapters/fs/staging-area.ts';
import { systemProbes } from '../../adapters/system/probe.ts';
import { systemEntropy } from '../../adapters/system/runtime.ts';
import { MiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { StagingAreas } from '../../ports/staging.ts';
import type { DrillRequest } from '../drill-types.ts';
import type { StagedDrillParts } from '../staged-drill.ts';

/** Left free beside what a drill stages. */
const reserveBytes = 512 * MiB;

export function hostStaging(parent: string): StagingAreas {
  return stagingAreas({ parent, reserveBytes });
}

/** What a drill of a command needs of this machine. @throws HoldfastError usage */
export function stagingParts(
  request: DrillRequest,
): Pick<StagedDrillParts, 'staging' | 'probes' | 'seed' | 'compare'> {
  const { compareWith, stagingDir } = request;
  return {
    staging: hostStaging(stagingDir),
    probes: systemProbes(),
    seed: systemEntropy().bytes(32),
    ...(compareWith === undefined ? {} : { compare: comparing(compareWith, request) }),
  };
}

/** Live files at an absolute path lie at the same path below what was staged. */
function comparing(
  live: string,
  { sampleBytes, path }: DrillRequest,
): (staged: string) => Promise<string[]> {
  if (sampleBytes !== undefined) {
    throw new HoldfastError('usage', 'a sample cannot be compared with live files', {
      next: 'leave out --sample, or --compare',
    });
  }
  // Of a path, its content was restored; of a whole snapshot, the paths from / on.
  const below = path === '/' || path === '' ? relative('/', live) : '';
  return (staged) => compareTrees(live, below === '' ? staged : `${staged}/${below}`);
}
