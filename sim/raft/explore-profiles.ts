import type { Bounds, Start } from './explore-moves.ts';

/** One exhaustive search: few things may happen in it, so that runs may be long. */
export type Profile = {
  readonly name: string;
  readonly bounds: Bounds;
  readonly starts: readonly Start[];
};

const nothing = {
  proposals: 0,
  reads: 0,
  changes: 0,
  compactions: 0,
  crashes: 0,
  damages: 0,
  beats: 0,
  repeats: 0,
  lates: 0,
  stands: 0,
};

/** Everything that is not named may not happen. */
function profile(
  name: string,
  starts: readonly Start[],
  bounds: Partial<Bounds> & { readonly terms: number; readonly depth: number },
): Profile {
  return { name, starts, bounds: { ...nothing, ...bounds } };
}

/** Each takes less than 150,000 states, and about 90 seconds of one core together. */
export const profiles: readonly Profile[] = [
  profile('first election', ['fresh'], { terms: 2, depth: 6, stands: 2, crashes: 1, lates: 1 }),
  profile('crashes', ['led'], { terms: 3, depth: 6, stands: 2, crashes: 1, lates: 1 }),
  profile('late answers', ['led'], { terms: 3, depth: 6, stands: 3, lates: 2 }),
  profile('answers twice', ['led'], { terms: 3, depth: 6, stands: 2, proposals: 1, repeats: 2 }),
  profile('entries', ['led'], { terms: 3, depth: 7, stands: 2, proposals: 2 }),
  profile('entries of old terms', ['led'], { terms: 4, depth: 6, stands: 3, proposals: 1 }),
  profile('one change', ['led'], { terms: 3, depth: 6, stands: 2, changes: 1 }),
  profile('two changes', ['led'], { terms: 3, depth: 5, stands: 1, changes: 2, proposals: 1 }),
  profile('a learner', ['led with a learner'], {
    ...{ terms: 3, depth: 6, stands: 1, changes: 1, proposals: 1 },
  }),
  profile('reads', ['led'], { terms: 2, depth: 7, stands: 1, reads: 1, beats: 1, lates: 1 }),
  profile('reads after a write', ['led'], {
    ...{ terms: 2, depth: 6, stands: 1, reads: 1, beats: 1, proposals: 1, lates: 1 },
  }),
  profile('snapshots', ['led'], {
    ...{ terms: 2, depth: 6, stands: 1, proposals: 1, compactions: 1, changes: 1, beats: 1 },
  }),
  profile('snapshots and crashes', ['led'], {
    ...{ terms: 2, depth: 6, stands: 1, proposals: 2, compactions: 1, crashes: 1, beats: 1 },
  }),
  profile('damage', ['led'], { terms: 3, depth: 7, stands: 2, proposals: 1, damages: 1 }),
];

/** What the tests go through. */
export const smallProfiles: readonly Profile[] = profiles.map((one) => ({
  ...one,
  bounds: { ...one.bounds, depth: 4 },
}));
