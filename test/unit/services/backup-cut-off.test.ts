import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { expel } from '../../support/expelled-member.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

let cluster: BackupCluster;
let bench: BackupBench;
let tree: PlantedTree;

beforeEach(async () => {
  tree = new PlantedTree();
  tree.write('large', noise(3_000_000, 1));
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
  bench = new BackupBench(site(0), source);
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await tree[Symbol.asyncDispose]();
});

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Everything is stored, and the agent ends before it has signed. */
async function cutOff(): Promise<void> {
  const end = (): never => {
    throw new Error('killed');
  };
  await expect(bench.run([tree.path], { sign: end })).rejects.toThrow('killed');
  expect(site(0).ledger.manifests()).toEqual([]);
}

function storedBytes(): number {
  return cluster.sites.reduce((sum, { shards }) => sum + shards.store.usage().bytes, 0);
}

describe('the packs of a backup that was cut off', () => {
  test('are used by the next one', async () => {
    await cutOff();
    const before = storedBytes();
    const { durability } = await bench.run([tree.path]);
    expect(durability?.sitesMayFail).toBeGreaterThanOrEqual(2);
    expect(storedBytes() - before).toBeLessThan(1_000_000);
  });

  test('are stored anew when somebody who had a part of them has gone', async () => {
    await cutOff();
    cluster.isolate(4);
    expel(cluster, 4);
    const { durability, record } = await bench.run([tree.path]);
    expect(durability).toMatchObject({ state: 'committed', degradedPacks: 0 });
    expect(durability?.sitesMayFail).toBeGreaterThanOrEqual(2);
    await tree.expectIn(record, site(0));
  });

  test('are stored anew when somebody who has a part of them is to leave', async () => {
    await cutOff();
    bench.leaving.add('site-4');
    const { record } = await bench.run([tree.path]);
    if (record === undefined) throw new Error('there is no snapshot');
    const gone = site(4).agent.agentKey;
    const then = await site(0).view.assess(record, (agent) => agent !== gone);
    expect(then.sitesMayFail).toBeGreaterThanOrEqual(2);
  });

  test('stay in use once they are signed for: repair looks after them', async () => {
    await bench.run([tree.path]);
    const before = storedBytes();
    cluster.isolate(4);
    expel(cluster, 4);
    await bench.run([tree.path]);
    expect(storedBytes() - before).toBeLessThan(1_000_000);
  });
});
