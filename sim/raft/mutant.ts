import type { Patch } from './mutants-build.ts';

/** A deliberate bug: what the simulator is there to find. */
export type RaftMutant = {
  /** What it does wrong; continues "a member that". */
  readonly name: string;
  readonly patches: readonly Patch[];
  /**
   * So many seeds are enough to find it: at least three times what the worst start needed, of four that were not
   * known when the bound was first set (of two for those about damage and about leaders that are no voters).
   */
  readonly seedsMax: number;
};

/** In `file` below the folder of Raft. */
export function patch(file: string, old: string, replacement: string): Patch {
  return { file: `core/protocol/raft/${file}`, old, new: replacement };
}

export function mutant(name: string, seedsMax: number, ...patches: readonly Patch[]): RaftMutant {
  return { name, seedsMax, patches };
}

/** What the member with this rank has reached, and so what that many have: in the place of a quorum's. */
export const reachedBy = (members: string, rank: string): string =>
  `((config, reached) => ${members}.map(reached).sort((a, b) => b - a)[${rank}] ?? 0)(`;

export const oneFewer = reachedBy(
  'config.voters',
  'Math.max(0, Math.floor(config.voters.length / 2) - 1)',
);
