import { expect, test } from 'vitest';
import { mutants } from '../../../sim/mutants.ts';
import { Simulation } from '../../../sim/simulation.ts';

const seedsMax = 6;
const steps = 80;

test.for(mutants)(`a build that $name is found within ${seedsMax} seeds`, async (mutant) => {
  let violation: string | undefined;
  for (let seed = 1; seed <= seedsMax && violation === undefined; seed++) {
    const options = { seed, steps, mutant, hasLiar: mutant.needs === 'liar' };
    const hasRollBack = mutant.needs === 'roll-back';
    violation = (await new Simulation({ ...options, hasRollBack }).run()).violation;
  }
  expect(violation).toMatch(mutant.finding);
});
