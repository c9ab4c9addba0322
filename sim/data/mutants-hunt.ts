import { MutantBuild } from '../raft/mutants-build.ts';
import type { DataViolation } from './cluster.ts';
import type { DataMutant } from './mutants.ts';
import { partsFolders, partsOf } from './parts.ts';
import { runDataSeed } from './run.ts';

/** How a mutant was found; without a violation it was not. */
export type DataFind = {
  readonly seeds: number;
  readonly violation: DataViolation | undefined;
};

/** Seeds from the first one on, until one finds the bug or there were enough. */
export async function huntData(
  { patches, seedsMax, plan }: DataMutant,
  { firstSeed }: { readonly firstSeed: number },
): Promise<DataFind> {
  using build = new MutantBuild(patches, partsFolders);
  const parts = await partsOf(build);
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const { violation } = await runDataSeed(firstSeed + seeds - 1, { parts, plan });
    if (violation !== undefined) return { seeds, violation };
  }
  return { seeds: seedsMax, violation: undefined };
}
