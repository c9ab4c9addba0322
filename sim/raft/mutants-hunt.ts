import type * as Shipped from '../../src/core/protocol/raft/raft.ts';
import { Explorer } from './explore.ts';
import type { Profile } from './explore-profiles.ts';
import type { RaftMutant } from './mutant.ts';
import { MutantBuild } from './mutants-build.ts';
import type { Violation } from './observation.ts';
import { runRaftSeed } from './run.ts';

/** How a mutant was found; without a violation it was not. */
export type Find = { readonly seeds: number; readonly violation: Violation | undefined };

/** Seeds from the first one on, until one finds the bug or there were enough. */
export async function hunt(
  { patches, seedsMax }: RaftMutant,
  { firstSeed }: { readonly firstSeed: number },
): Promise<Find> {
  using build = new MutantBuild(patches);
  const { Raft } = await build.load<typeof Shipped>('core/protocol/raft/raft.ts');
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const { violations } = runRaftSeed(firstSeed + seeds - 1, {
      make: (stored, settings, options) => new Raft(stored, settings, options),
    });
    const [violation] = violations;
    if (violation !== undefined) return { seeds, violation };
  }
  return { seeds: seedsMax, violation: undefined };
}

/** How the explorer found a mutant. */
export type Discovery = { readonly search: string; readonly text: string; readonly moves: number };

/** One search after another, until one finds the bug. */
export async function huntEverywhere(
  { patches }: RaftMutant,
  searches: readonly Profile[],
  { statesMax }: { readonly statesMax: number },
): Promise<{ readonly find: Discovery | undefined; readonly states: number }> {
  using build = new MutantBuild(patches);
  const { Raft } = await build.load<typeof Shipped>('core/protocol/raft/raft.ts');
  let states = 0;
  for (const one of searches) {
    const found = new Explorer(one, { statesMax }).explore((...given) => new Raft(...given));
    states += found.states;
    if (found.violation === undefined) continue;
    const { text, moves } = found.violation;
    return { find: { search: one.name, text, moves: moves.length - 1 }, states };
  }
  return { find: undefined, states };
}
