import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { printable } from '../../../src/base/bytes.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { BackupBench, filesOf, openSnapshot } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

let cluster: BackupCluster;
let bench: BackupBench;
let tree: PlantedTree;

beforeEach(() => {
  tree = new PlantedTree();
  source.trouble = {};
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await tree[Symbol.asyncDispose]();
});

async function open(count: number, surviveSites: number): Promise<void> {
  cluster = await BackupCluster.open(count, { surviveSites });
  bench = new BackupBench(site(0), source);
}

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

describe('the snapshots of a dataset', () => {
  beforeEach(() => open(1, 0));

  test('use no pack that expires while the backup runs, and store its content anew', async () => {
    tree.plant();
    const first = await bench.run([tree.path]);
    const packsOf = async (record: ManifestRecord | undefined) =>
      ((record && (await site(0).view.packs(record))) ?? []).map(({ pack }) => pack);
    const old = await packsOf(first.record);
    let looks = 0;
    // Not when it begins, but before it signs; from then on they are gone.
    bench.expired = () => (looks++ === 1 ? old : []);
    tree.write('b/new', noise(50_000, 5));
    const second = await bench.run([tree.path]);
    const used = await packsOf(second.record);
    expect(old.length).toBeGreaterThan(0);
    expect(used.filter((pack) => old.includes(pack))).toEqual([]);
    await tree.expectIn(second.record, site(0));
  });

  test('follow each other, and share what has not changed', async () => {
    tree.plant();
    const first = await bench.run([tree.path]);
    await tree.expectIn(first.record, site(0));
    tree.write('b/new', noise(50_000, 5));
    tree.remove('a');
    const second = await bench.run([tree.path]);
    expect(second.record?.manifest).toMatchObject({
      sequence: 2,
      previous: first.record?.hash,
      snapshotKind: 'increment',
    });
    expect(second.bytesAdded).toBeLessThan(100_000);
    await tree.expectIn(second.record, site(0));
  });

  test('can all be read after their index has been merged many times over', async () => {
    const records: (ManifestRecord | undefined)[] = [];
    for (let i = 0; i < 20; i++) {
      tree.write(`file ${i}`, noise(1000 + i, i));
      records.push((await bench.run([tree.path])).record);
    }
    const { index } = await bench.own();
    expect(index.segments().length).toBeLessThan(20);
    await tree.expectIn(records.at(-1), site(0));
    for (const i of [15, 16, 17, 18]) {
      const read = await filesOf(await openSnapshot(site(0), records[i]));
      expect(read.size).toBe(i + 1);
    }
  });

  test('are whole after everything that the source remembered is gone', async () => {
    tree.plant();
    const first = await bench.run([tree.path]);
    await bench.forget();
    tree.write('b/new', noise(50_000, 5));
    const second = await bench.run([tree.path]);
    expect(second.counts.filesUnmodified).toBe(0);
    expect(second.record?.manifest.previous).toBe(first.record?.hash);
    await tree.expectIn(second.record, site(0));
  });

  test('store anew what earlier ones have lost, and can be read then', async () => {
    tree.plant();
    const first = await bench.run([tree.path]);
    tree.write('b/new', noise(50_000, 5));
    const second = await bench.run([tree.path]);
    const { storage, shards, view } = site(0);
    const packs = (await view.packs(second.record as ManifestRecord)) ?? [];
    const [lost] = packs.filter(({ type, size }) => type === 'data' && size > 100_000);
    await shards.store.remove(lost?.pack as never, 0);
    for (const { record } of [first, second]) await storage.sign(record as ManifestRecord);
    expect(await view.assess(second.record as ManifestRecord)).toMatchObject({ lostPacks: 1 });
    const third = await bench.run([tree.path]);
    expect(third.durability).toMatchObject({ isRecoverable: true, lostPacks: 0 });
    await tree.expectIn(third.record, site(0));
  });

  test('name the files that changed while they were read', async () => {
    tree.plant();
    source.trouble = {
      result: (name, one) =>
        name === 'a' && 'isStable' in one ? { ...one, isStable: false } : one,
    };
    const { record, problems, counts, progress } = await bench.run([tree.path]);
    expect(problems).toBe(1);
    expect(counts.filesUnstable).toBe(1);
    const reported = progress.flatMap((one) => (one.kind === 'problem' ? [one] : []));
    expect(reported.map(({ path }) => printable(path))).toEqual([tree.at('a')]);
    const { root } = await openSnapshot(site(0), record);
    expect(root.unstable.map(({ path }) => printable(path))).toEqual([tree.at('a')]);
    await tree.expectIn(record, site(0));
  });
});
