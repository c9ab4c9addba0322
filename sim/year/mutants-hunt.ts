import { MutantBuild } from '../raft/mutants-build.ts';
import { runCheat } from './cheat.ts';
import type { YearMutant } from './mutants.ts';
import { partsFolders, partsOf } from './parts.ts';
import { ratesOf, type YearRates } from './rates.ts';
import { runYear } from './run.ts';
import type { YearViolation } from './watch.ts';

/** How a mutant was found; without a violation it was not. */
export type YearFind = { readonly years: number; readonly violation: YearViolation | undefined };

/** Little data, weeks instead of a year, and much trouble: what is looked for shows all the same. */
export const small = {
  ...{ packs: 16, days: 25, settleDays: 16 },
  rates: { ...(ratesOf('C', 60) as YearRates), rot: 3, down: 6, partition: 6 },
} as const;

/** Years from the first seed on, until one finds the bug by its rule, or there were enough. */
export async function huntYear(
  { patches, yearsMax, by, isOfCheats = false }: YearMutant,
  { firstSeed }: { readonly firstSeed: number },
): Promise<YearFind> {
  using build = new MutantBuild(patches, partsFolders);
  const parts = await partsOf(build);
  for (let years = 1; years <= yearsMax; years++) {
    const seed = firstSeed + years - 1;
    const { violation } = isOfCheats
      ? await runCheat(seed, { parts })
      : await runYear(seed, { ...small, parts });
    if (violation !== undefined && by.includes(violation.rule)) return { years, violation };
  }
  return { years: yearsMax, violation: undefined };
}
