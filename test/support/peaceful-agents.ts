import { afterEach, beforeEach, expect } from 'vitest';
import { DataCluster } from '../../sim/data/cluster.ts';
import { shippedParts } from '../../sim/data/parts.ts';
import { dataPlanOf } from '../../sim/data/plan.ts';
import { DataWorkload } from '../../sim/data/workload.ts';
import { secondMs } from '../../src/base/units.ts';

export type PeacefulAgents = { readonly cluster: DataCluster; readonly workload: DataWorkload };

/**
 * Before each test, shipped agents at four sites, of which one may be lost, half a minute after their start; ada is
 * the voter, ada and bob are sources. No trouble comes but what the test makes. `isTraced`: all that they log is kept.
 */
export function peacefulAgents({ isTraced = false } = {}): () => PeacefulAgents {
  let agents: PeacefulAgents | undefined;
  const current = (): PeacefulAgents => {
    if (agents === undefined) throw new Error('no test runs');
    return agents;
  };

  beforeEach(async () => {
    const peace = { siteCount: 4, surviveSites: 1, victims: [], lie: undefined, faults: [] };
    const plan = { ...dataPlanOf(9), ...peace, hasNewcomer: false, hasSmallDisks: false };
    const cluster = new DataCluster({ seed: 9, plan, parts: shippedParts });
    agents = { cluster, workload: new DataWorkload(cluster, () => {}) };
    cluster.world.trace.isWhole = isTraced;
    for (const agent of cluster.agents) agent.startAgain();
    await cluster.world.advance(30 * secondMs);
  }, 60_000);

  afterEach(() => {
    const { cluster } = current();
    for (const agent of cluster.agents) agent.crash();
    expect(cluster.violation).toBeUndefined();
  });
  return current;
}
