import { describe, expect, test } from 'vitest';
import { keepingMutants } from '../../../sim/keeping/mutants.ts';
import { huntKeeping } from '../../../sim/keeping/mutants-hunt.ts';
import { partsFolders } from '../../../sim/keeping/parts.ts';
import { runKeepingSeed } from '../../../sim/keeping/run.ts';
import { MutantBuild } from '../../../sim/raft/mutants-build.ts';

describe('simulated weeks of keeping and letting go', () => {
  test.for([1, 2, 3, 4])(
    'seed %i deletes nothing too early, and in the end everything',
    async (seed) => {
      const { violation, tail, met } = await runKeepingSeed(seed);
      expect(violation, tail.slice(-40).join('\n')).toBeUndefined();
      expect(met.get('purge')).toBeGreaterThan(10);
    },
  );

  test('the same seed gives the same run, and another one another', async () => {
    const play = (seed: number) => runKeepingSeed(seed, { plan: { days: 6 } });
    const [first, again, other] = [await play(31), await play(31), await play(32)];
    expect(first.traceHash).toBe(again.traceHash);
    expect(first.traceHash).not.toBe(other.traceHash);
  });

  /** All of them: npm run sim -- --keeping --mutants */
  const chosen: readonly string[] = [
    'skips the veto',
    'empties the trash at once',
    'lets one site alone decide',
    'deletes when it likes, not when it is its turn',
  ];

  test.for(keepingMutants.filter(({ name }) => chosen.includes(name)))(
    'finds a host that $name',
    async (mutant) => {
      expect((await huntKeeping(mutant, { firstSeed: 1 })).violation?.checker).toBe(mutant.by);
    },
  );

  test('every mutant still fits what is shipped', () => {
    for (const { name, patches } of keepingMutants) {
      expect(() => new MutantBuild(patches, partsFolders)[Symbol.dispose](), name).not.toThrow();
    }
  });
});
