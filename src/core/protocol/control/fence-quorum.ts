import { assert } from '../../../base/assert.ts';

/**
 * Grants that decide a slot: any two such sets of `voters` share more voters than the `faulty` ones that may
 * sign twice, so no slot is decided twice. More than `voters` when those are too few to outvote them.
 */
export function fenceQuorum(voters: number, faulty: number): number {
  assert(voters >= 1 && faulty >= 0, 'there are voters');
  return Math.ceil((voters + faulty + 1) / 2);
}

/** Abandons after which the slot can no longer be decided, whoever still votes. */
export function deadQuorum(voters: number, faulty: number): number {
  return voters - fenceQuorum(voters, faulty) + 1 + faulty;
}
