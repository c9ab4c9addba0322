import { MutantBuild } from '../raft/mutants-build.ts';
import type { KeepingViolation } from './cluster.ts';
import type { KeepingMutant } from './mutants.ts';
import { partsFolders, partsOf } from './parts.ts';
import { runKeepingSeed } from './run.ts';

/** How a mutant was found; without a violation it was not. */
export type KeepingFind = {
  readonly seeds: number;
  readonly violation: KeepingViolation | undefined;
};

/** Seeds from the first one on, until one finds the bug by its checker, or there were enough. */
export async function huntKeeping(
  { patches, seedsMax, plan, by }: KeepingMutant,
  { firstSeed }: { readonly firstSeed: number },
): Promise<KeepingFind> {
  using build = new MutantBuild(patches, partsFolders);
  const parts = await partsOf(build);
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const { violation } = await runKeepingSeed(firstSeed + seeds - 1, { parts, plan });
    if (violation?.checker === by) return { seeds, violation };
  }
  return { seeds: seedsMax, violation: undefined };
}
