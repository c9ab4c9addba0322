import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { printable } from '../../../src/base/bytes.ts';
import type { PackId } from '../../../src/core/ids.ts';
import type { BackupResult } from '../../../src/services/backup.ts';
import { DatasetIndex } from '../../../src/services/dataset-index.ts';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite, home } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

const repacking = { belowPercent: 30, bytesMax: 1_000_000, isExpiring: true };

let cluster: BackupCluster;
let bench: BackupBench;
let tree: PlantedTree;

beforeEach(async () => {
  tree = new PlantedTree();
  cluster = await BackupCluster.open(1, { surviveSites: 0 });
  bench = new BackupBench(site(), source);
  source.trouble = {};
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await tree[Symbol.asyncDispose]();
});

function site(): BackupSite {
  return cluster.sites[0] as BackupSite;
}

async function dataPacksOf({ record }: BackupResult): Promise<PackId[]> {
  const packs = (record && (await site().view.packs(record))) ?? [];
  return packs.filter(({ type }) => type === 'data').map(({ pack }) => pack);
}

/** Two snapshots: of a pack, and of the tenth that is left of it. @returns the pack */
async function almostAllGoes(): Promise<PackId> {
  tree.write('d/keep', noise(60_000, 1));
  tree.write('d/gone', noise(600_000, 2));
  const first = await bench.run([tree.path], { repacking });
  tree.remove('d/gone');
  const second = await bench.run([tree.path], { repacking });
  expect(second.packsRepacked).toBe(0);
  const [pack, ...others] = await dataPacksOf(first);
  expect(others).toEqual([]);
  expect(await dataPacksOf(second)).toEqual([pack]);
  return pack as PackId;
}

describe('a pack of which little is needed', () => {
  test('is given up, and what is needed of it stored anew, once no older snapshot needs more', async () => {
    const pack = await almostAllGoes();
    bench.stillNamed = (packs) => new Set(packs.keys());
    const third = await bench.run([tree.path], { repacking });
    expect(third.packsRepacked).toBe(0);
    expect(await dataPacksOf(third)).toEqual([pack]);
    let asked: ReadonlyMap<PackId, number> | undefined;
    bench.stillNamed = (packs) => {
      asked = packs;
      return new Set();
    };
    const fourth = await bench.run([tree.path], { repacking });
    // The second snapshot was the first that needs so little.
    expect(asked).toEqual(new Map([[pack, 2]]));
    expect(fourth.packsRepacked).toBe(1);
    const packs = await dataPacksOf(fourth);
    expect(packs).toHaveLength(1);
    expect(packs).not.toContain(pack);
    expect(fourth.bytesAdded).toBeLessThan(100_000);
    expect(fourth.counts).toMatchObject({ filesUnmodified: 1, filesChanged: 0, filesNew: 0 });
    await tree.expectIn(fourth.record, site());
    // It is over: nothing is read or stored again.
    const fifth = await bench.run([tree.path], { repacking });
    expect(fifth).toMatchObject({ packsRepacked: 0, counts: { bytesRead: 0 } });
    expect(await dataPacksOf(fifth)).toEqual(packs);
    await tree.expectIn(fifth.record, site());
  });

  test('stays where nothing expires, and where the rule says never', async () => {
    const pack = await almostAllGoes();
    for (const more of [{ isExpiring: false }, { belowPercent: 0 }, { bytesMax: 1000 }]) {
      const next = await bench.run([tree.path], { repacking: { ...repacking, ...more } });
      expect(next.packsRepacked).toBe(0);
      expect(await dataPacksOf(next)).toEqual([pack]);
    }
  });

  test('stays as long as a file in it cannot be read, which is not missed then', async () => {
    const pack = await almostAllGoes();
    source.trouble = {
      result: (name, one) => (name === 'keep' ? { outcome: 'failed', reason: 'a bad disk' } : one),
    };
    const third = await bench.run([tree.path], { repacking });
    expect(third).toMatchObject({ packsRepacked: 0, problems: 0 });
    expect(await dataPacksOf(third)).toContain(pack);
    await tree.expectIn(third.record, site());
    // Not with each backup again, but when today's snapshots have gone.
    source.trouble = {};
    let asked: ReadonlyMap<PackId, number> | undefined;
    bench.stillNamed = (packs) => {
      asked = packs;
      return new Set(packs.keys());
    };
    await bench.run([tree.path], { repacking });
    expect(asked).toEqual(new Map([[pack, 3]]));
  });

  test('stays when the disk gives other content than before for a file that nobody wrote to', async () => {
    const pack = await almostAllGoes();
    source.trouble = {
      result: (name, one) => {
        if (name !== 'keep' || one.outcome !== 'read') return one;
        const extents = one.extents.map((extent) =>
          extent.kind === 'hole' ? extent : { ...extent, id: new Uint8Array(32).fill(9) },
        );
        return { ...one, extents };
      },
    };
    const third = await bench.run([tree.path], { repacking });
    expect(third).toMatchObject({ packsRepacked: 0, problems: 1 });
    const problems = third.progress.flatMap((one) => (one.kind === 'problem' ? [one] : []));
    expect(problems.map(({ path }) => printable(path))).toEqual([tree.at('d/keep')]);
    expect(await dataPacksOf(third)).toContain(pack);
    await tree.expectIn(third.record, site());
  });

  test('is needed again when its content comes back', async () => {
    await almostAllGoes();
    tree.write('d/back', noise(600_000, 2));
    bench.stillNamed = (packs) => new Set(packs.keys());
    await bench.run([tree.path], { repacking });
    const { index } = await bench.own();
    expect(index.mostlyDead.marks().size).toBe(0);
  });

  test('is remembered by the source over a restart', async () => {
    await almostAllGoes();
    const { index } = await bench.own();
    const again = await DatasetIndex.open(site().index, home.id);
    const [mark] = again.mostlyDead.marks().values();
    expect(mark).toMatchObject({ since: 2, usedBytes: 60_000, chunkBytes: 660_000 });
    expect(again.mostlyDead.marks()).toEqual(index.mostlyDead.marks());
  });
});
