import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { MiB } from '../../src/base/units.ts';
import { Cluster, fiveSites, summaryOf, told, until } from '../support/cluster.ts';
import { dropLeaves } from '../support/dropped-leaves.ts';
import { heldShards } from '../support/held-shards.ts';
import { writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
/** One has no time for what it lacks, one denies it. */
const cheats = { nyc1: 'hides', sin1: 'denies' } as const;
const honest = fiveSites.map(({ name }) => name).filter((name) => !(name in cheats));
const catchMs = 900_000;

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 40, seed: 'cheat', sizeMax: 8 * MiB });
  await cluster.form(fiveSites, { surviveSites: 2 });
  await cluster.backup(origin, [source]);
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('two hosts that throw away one leaf in a hundred, and lie about it', () => {
  it('have thrown away no more than that', async () => {
    for (const [site, lie] of Object.entries(cheats)) {
      expect(await cluster.stop(site)).toBe(0);
      const { dropped, leaves } = dropLeaves(heldShards(cluster.state(site)));
      console.log(`${site} has thrown away ${dropped} of ${leaves} leaves`);
      expect(dropped).toBeGreaterThan(0);
      expect(dropped / leaves).toBeLessThan(0.015);
      await cluster.start(site, lie);
    }
    for (const site of honest) {
      expect(await cluster.stop(site)).toBe(0);
      await cluster.start(site, 'hurries');
    }
    await cluster.untilConnected();
  });

  it('are found out by each of the others, and nobody else is blamed', async () => {
    const began = performance.now();
    for (const site of honest) {
      await until(`${site} has found both`, catchMs, async () => {
        const peers = await cluster.api(site).peers();
        const failing = peers.filter(({ possession }) => possession?.state === 'failing');
        for (const { name } of failing) expect(Object.keys(cheats)).toContain(name);
        return failing.length === Object.keys(cheats).length;
      });
      const asked = await cluster.api(site).peers();
      for (const name of Object.keys(cheats)) {
        const { passed = 0 } = asked.find((peer) => peer.name === name)?.possession ?? {};
        const seconds = Math.round((performance.now() - began) / 1000);
        console.log(`${site} has found ${name} after ${seconds} s; it was shown ${passed} leaves`);
      }
    }
    const shown = await cluster.expect(0, ['peer', 'show', 'nyc1'], honest[0]);
    expect(shown.out).toContain('failing');
  });

  it('count no more: what they have is made anew at the others', async () => {
    for (const site of honest) {
      await until(`nothing is missing, says ${site}`, catchMs, async () => {
        const { taskCount, awaitedPacks, lost } = await cluster
          .api(site)
          .repairs({ begin: 'nothing' });
        return taskCount === 0 && awaitedPacks === 0 && lost.length === 0;
      });
    }
    const { restorable } = (await cluster.api('fra1').status()).datasets[0] ?? {};
    expect(restorable).toMatchObject({ sitesMayFail: 2, sites: honest });
  });

  it('are too many for a commit until they are put out', async () => {
    const next = await cluster.run(['backup', source, '--json'], origin);
    expect(next.code, told(next)).toBe(22);
    expect(summaryOf(next)).toMatchObject({ state: 'placed', missing_sites: Object.keys(cheats) });
    for (const name of Object.keys(cheats)) {
      const remove = ['peer', 'remove', name, '--reason', 'it lies', '--yes'];
      await cluster.expect(0, remove, origin);
    }
    const after = await cluster.run(['backup', source, '--json'], origin);
    expect(summaryOf(after), told(after)).toMatchObject({
      state: 'committed',
      missing_sites: [],
    });
  });

  it('are not needed: the other two restore everything when the source is gone as well', async () => {
    for (const site of [...Object.keys(cheats), origin]) await cluster.kill(site);
    const target = join(cluster.root, 'restored');
    const restored = await cluster.restore('latest', target, 'fra1');
    expect(restored.code, told(restored)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
  });
});
