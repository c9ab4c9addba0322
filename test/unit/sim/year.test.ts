import { describe, expect, test } from 'vitest';
import { hourMs } from '../../../src/base/units.ts';
import { fits } from '../../../sim/raft/mutants-build.ts';
import { runCheat } from '../../../sim/year/cheat.ts';
import { yearMutants } from '../../../sim/year/mutants.ts';

// Playing even weeks takes too long here: `npm run sim -- --year`, and `--year --mutants` for weeks with a bug.

describe('a simulated year', () => {
  test('knows mutants that can be applied to what is shipped', () => {
    for (const { patches } of yearMutants) for (const patch of patches) expect(fits(patch)).toBe(1);
  });
});

describe('a simulated day with a host that lies about what it has thrown away', () => {
  test('ends with everybody knowing, nobody else blamed, and everything made anew', async () => {
    const run = await runCheat(2, { lie: 'hides', packs: 12, spanMs: 4 * hourMs });
    expect(run.violation).toBeUndefined();
    expect(run.caughtMs.filter((ms) => ms !== undefined).length).toBeGreaterThan(3);
    expect(run.wholeMs).toBeLessThan(6 * hourMs);
  });
});
