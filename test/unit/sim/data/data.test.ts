import { describe, expect, test } from 'vitest';
import { Restorable } from '../../../../sim/data/checkers/restorable.ts';
import { DataCluster } from '../../../../sim/data/cluster.ts';
import { dataMutants } from '../../../../sim/data/mutants.ts';
import { huntData } from '../../../../sim/data/mutants-hunt.ts';
import { partsFolders, shippedParts } from '../../../../sim/data/parts.ts';
import { dataPlanOf } from '../../../../sim/data/plan.ts';
import { runDataSeed } from '../../../../sim/data/run.ts';
import { DataWorkload } from '../../../../sim/data/workload.ts';
import { MutantBuild } from '../../../../sim/raft/mutants-build.ts';

describe('the simulated way of the data', () => {
  test.for([2, 5, 17])('seed %i keeps, says and restores nothing wrong', async (seed) => {
    const { violation, snapshots, tail } = await runDataSeed(seed);
    expect(violation, tail.slice(-40).join('\n')).toBeUndefined();
    expect(snapshots).toBeGreaterThan(3);
  });

  test('the same seed gives the same run, and another one another', async () => {
    const play = (seed: number) => runDataSeed(seed, { steps: 12 });
    const [first, again, other] = [await play(31), await play(31), await play(32)];
    expect(first.traceHash).toBe(again.traceHash);
    expect(first.traceHash).not.toBe(other.traceHash);
  });

  /** All of them: npm run sim -- --data --mutants */
  const chosen: readonly string[] = [
    'signs before its disk has synced',
    'signs for shards that it does not have',
    'counts members that are away',
  ];

  test.for(dataMutants.filter(({ name }) => chosen.includes(name)))(
    'finds an agent that $name',
    async (mutant) => {
      const { violation } = await huntData(mutant, { firstSeed: 1 });
      expect(violation?.checker).toBe(mutant.finder);
    },
  );

  test('every mutant still fits what is shipped', () => {
    for (const { name, patches } of dataMutants) {
      expect(() => new MutantBuild(patches, partsFolders)[Symbol.dispose](), name).not.toThrow();
    }
  });

  test('shards that have gone from honest disks without any fault are missed', async () => {
    const peace = { siteCount: 4, surviveSites: 1, victims: [], lie: undefined, faults: [] };
    const plan = { ...dataPlanOf(9), ...peace, hasNewcomer: false };
    const cluster = new DataCluster({ seed: 9, plan, parts: shippedParts });
    const workload = new DataWorkload(cluster, () => {});
    for (const agent of cluster.agents) agent.startAgain();
    await cluster.world.advance(30_000);
    workload.backUp(cluster.at(0));
    await cluster.world.advance(60_000);
    await cluster.look();
    expect(cluster.violation).toBeUndefined();
    const rule = new Restorable();
    expect(rule.look(cluster)).toBeUndefined();
    for (const { disk } of cluster.agents) disk.shards.files.clear();
    expect(rule.look(cluster)).toContain('shards left');
    for (const agent of cluster.agents) agent.crash();
  });
});
