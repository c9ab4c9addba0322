import { describe, expect, test } from 'vitest';
import { controlMutants } from '../../../../sim/control/mutants.ts';
import { huntControl } from '../../../../sim/control/mutants-hunt.ts';
import { partsFolders } from '../../../../sim/control/parts.ts';
import { controlScenarios } from '../../../../sim/control/scenarios.ts';
import { runControlSeed } from '../../../../sim/control/run.ts';
import { MutantBuild } from '../../../../sim/raft/mutants-build.ts';

describe('the simulated control plane', () => {
  test.for([2, 3, 5, 8])('seed %i breaks no rule, and every plan ends', async (seed) => {
    const { violation, entries } = await runControlSeed(seed);
    expect(violation).toBeUndefined();
    expect(entries).toBeGreaterThan(20);
  });

  test.for(controlScenarios)('$name', async ({ seed, faults }) => {
    const { violation } = await runControlSeed(seed, { faults });
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
    'decides a slot with one grant too few',
    'lets one operator do what needs two',
    'begins again what runs already',
    'votes on a slot without keeping its vote',
  ];

  test.for(controlMutants.filter(({ name }) => chosen.includes(name)))(
    'finds an agent that $name',
    async (mutant) => {
      const { violation } = await huntControl(mutant, { firstSeed: 1 });
      expect(violation).toBeDefined();
    },
  );

  test('every mutant still fits what is shipped', () => {
    for (const { name, patches } of controlMutants) {
      expect(() => new MutantBuild(patches, partsFolders)[Symbol.dispose](), name).not.toThrow();
    }
  });
});
