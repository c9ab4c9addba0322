import { describe, expect, test } from 'vitest';
import { controlMutants } from '../../../../sim/control/mutants.ts';
import { huntControl } from '../../../../sim/control/mutants-hunt.ts';
import { controlPlanOf } from '../../../../sim/control/plan.ts';
import { controlScenarios } from '../../../../sim/control/scenarios.ts';
import { runControlSeed } from '../../../../sim/control/run.ts';
import { versionPatches } from '../../../../sim/control/versions.ts';
import { fits } from '../../../../sim/raft/mutants-build.ts';

function firstSeed(isWanted: (seed: number) => boolean): number {
  let seed = 1;
  while (!isWanted(seed)) seed++;
  return seed;
}

describe('the simulated control plane', () => {
  test.for([2, 3, 5, 8])('seed %i breaks no rule, and every plan ends', async (seed) => {
    const { violation, entries } = await runControlSeed(seed);
    expect(violation).toBeUndefined();
    expect(entries).toBeGreaterThan(20);
  });

  test.for(controlScenarios)('$name', async ({ seed, plan }) => {
    const { violation } = await runControlSeed(seed, { plan });
    expect(violation).toBeUndefined();
  });

  test.for(['upgrade', 'lying-leader', 'lease-lost'] as const)(
    'a seed with %s breaks no rule',
    async (kind) => {
      const isAbout = (seed: number) => controlPlanOf(seed).faults.some((one) => one.kind === kind);
      const { violation } = await runControlSeed(firstSeed(isAbout));
      expect(violation).toBeUndefined();
    },
  );

  test('two voters that lie together decide no slot twice, and both are named', async () => {
    const areTwo = (seed: number) =>
      controlPlanOf(seed).faults.filter(({ kind }) => kind === 'liar').length === 2;
    const { violation } = await runControlSeed(firstSeed(areTwo));
    expect(violation).toBeUndefined();
  });

  test('the same seed gives the same run, and another one another', async () => {
    const hashes = [];
    for (const seed of [4, 4, 6]) hashes.push((await runControlSeed(seed)).traceHash);
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });

  /** All of them: npm run sim -- --control --mutants */
  const chosen: readonly string[] = [
    'begins again what runs already',
    'votes on a slot without keeping its vote',
    'puts a decree into force without its notice',
    "takes a site for lost by one voter's word",
    'keeps one word of two that contradict each other',
    'goes on past a format that it does not know',
  ];

  test.for(controlMutants.filter(({ name }) => chosen.includes(name)))(
    'finds an agent that $name',
    async (mutant) => {
      const { violation } = await huntControl(mutant, { firstSeed: 1 });
      expect(violation).toBeDefined();
    },
  );

  test('every mutant and version still fits what is shipped', () => {
    const versions = Object.values(versionPatches).flat();
    expect(versions.filter((one) => fits(one) !== 1)).toEqual([]);
    const misfits = controlMutants.filter(({ patches }) => patches.some((one) => fits(one) !== 1));
    expect(misfits.map(({ name }) => name)).toEqual([]);
  });
});
