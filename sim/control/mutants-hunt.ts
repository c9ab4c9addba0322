import { MutantBuild } from '../raft/mutants-build.ts';
import type { ControlViolation } from './cluster.ts';
import type { ControlMutant } from './mutants.ts';
import { partsFolders, partsOf } from './parts.ts';
import { type ControlFaultKind, controlPlanOf } from './plan.ts';
import { runControlSeed } from './run.ts';
import { buildsWith } from './versions.ts';

/** How a mutant was found; without a violation it was not. */
export type ControlFind = {
  readonly seeds: number;
  readonly violation: ControlViolation | undefined;
};

/** Seeds from the first one on, until one finds the bug or there were enough. */
export async function huntControl(
  { patches, seedsMax, about, by, isCalm }: ControlMutant,
  { firstSeed }: { readonly firstSeed: number },
): Promise<ControlFind> {
  using build = new MutantBuild(patches, partsFolders);
  const parts = await partsOf(build);
  const builds = about === 'upgrade' ? await buildsWith(patches) : undefined;
  let seed = firstSeed;
  for (let seeds = 1; seeds <= seedsMax; seeds++, seed++) {
    while (about !== undefined && !isAbout(seed, about)) seed++;
    const faults = isCalm === true ? { faults: [] } : {};
    const { violation } = await runControlSeed(seed, { parts, builds, by, ...faults });
    if (violation !== undefined) return { seeds, violation };
  }
  return { seeds: seedsMax, violation: undefined };
}

function isAbout(seed: number, kind: ControlFaultKind): boolean {
  return controlPlanOf(seed).faults.some((fault) => fault.kind === kind);
}
