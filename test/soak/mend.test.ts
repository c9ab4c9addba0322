import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, messages, summaryOf, told, until } from '../support/cluster.ts';
import { heldShards } from '../support/held-shards.ts';
import { writeFiles } from '../support/sample-files.ts';
import { flipBit } from '../support/shard-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const mendMs = 180_000;

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 100, seed: 'mend', sizeMax: 20_000 });
  await cluster.form(fiveSites, { surviveSites: 2 });
  await cluster.expect(0, ['policy', 'set', '--site-lost-after', '30s'], origin);
  await cluster.backup(origin, [source]);
});

afterAll(() => cluster[Symbol.asyncDispose]());

/** Everything is where it should be, in the eyes of a site. */
async function untilWhole(site: string, sites: number): Promise<void> {
  await until(`nothing is missing, says ${site}`, mendMs, async () => {
    const [{ datasets }, repairs] = await Promise.all([
      cluster.api(site).status(),
      cluster.api(site).repairs({ begin: 'nothing' }),
    ]);
    const { sitesMayFail, sites: from } = datasets[0]?.restorable ?? {};
    const isAll =
      repairs.taskCount === 0 && repairs.awaitedPacks === 0 && repairs.lost.length === 0;
    return isAll && sitesMayFail === 2 && from?.length === sites;
  });
}

describe('a shard that rots on a disk', () => {
  it('is found by reading back, told of, and made anew at the same site', async () => {
    const shard = heldShards(cluster.state('fra1')).find(({ type }) => type === 'data');
    if (shard === undefined) throw new Error('fra1 holds no data');
    flipBit(shard.path, shard.offset + 7);
    const scrub = await cluster.run(['scrub', '--json'], 'fra1');
    expect(scrub.code, told(scrub)).toBe(22);
    expect(summaryOf(scrub)).toMatchObject({ damaged: 1 });
    await untilWhole('nyc1', 5);
    const anew = heldShards(cluster.state('fra1')).map(({ pack, index }) => `${pack}/${index}`);
    expect(anew).toContain(`${shard.pack}/${shard.index}`);
    expect(summaryOf(await cluster.expect(0, ['scrub', '--json'], 'fra1'))).toMatchObject({
      damaged: 1,
      stored_shards: anew.length,
    });
  });
});

describe('a site that is destroyed for good', () => {
  it('is given up by the others, who make anew what it had: any two more may fail again', async () => {
    await cluster.kill('sin1');
    rmSync(cluster.state('sin1'), { recursive: true });
    await untilWhole('fra1', 4);
    const repair = await cluster.expect(0, ['repair', '--json'], 'fra1');
    expect(messages(repair.out).at(-1)).toMatchObject({ task_count: 0, lost_packs: 0 });
  });

  it('leaves the same files when two more sites are gone', async () => {
    for (const site of [origin, 'nyc1']) await cluster.kill(site);
    const target = join(cluster.root, 'restored');
    const restored = await cluster.restore('latest', target, 'sfo1');
    expect(restored.code, told(restored)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
  });
});
