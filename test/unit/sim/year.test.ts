import { describe, expect, test } from 'vitest';
import { fits } from '../../../sim/raft/mutants-build.ts';
import { yearMutants } from '../../../sim/year/mutants.ts';

// Playing even weeks takes too long here: `npm run sim -- --year`, and `--year --mutants` for weeks with a bug.

describe('a simulated year', () => {
  test('knows mutants that can be applied to what is shipped', () => {
    for (const { patches } of yearMutants) for (const patch of patches) expect(fits(patch)).toBe(1);
  });
});
