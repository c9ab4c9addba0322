import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
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

describe('a backup to five sites', () => {
  test('is committed, and can be read at any three of them', async () => {
    await open(5, 2);
    tree.plant();
    const { record, durability, counts, bytesAdded, words, problems } = await bench.run([
      tree.path,
    ]);
    expect(durability).toMatchObject({ state: 'committed', sitesMayFail: 2, degradedPacks: 0 });
    expect(words).toContain('survives any 2 sites');
    expect(problems).toBe(0);
    expect(counts).toMatchObject({ files: 5, filesNew: 5, bytes: 2_100_000 });
    // One copy of what is there twice, and little of what compresses.
    expect(bytesAdded).toBeGreaterThan(600_000);
    expect(bytesAdded).toBeLessThan(700_000);
    await cluster.sync();
    cluster.isolate(0);
    cluster.isolate(3);
    for (const i of [1, 4]) await tree.expectIn(record, site(i));
  });

  test('is still made when a site is away, and says which', async () => {
    await open(5, 2);
    tree.plant();
    cluster.isolate(2);
    const { record, durability, missingSites } = await bench.run([tree.path]);
    expect(durability).toMatchObject({ state: 'committed', sitesMayFail: 1 });
    expect(missingSites).toEqual(['site-2']);
    await tree.expectIn(record, site(0));
  });
});

describe('a run', () => {
  beforeEach(() => open(1, 0));

  test('is under way until its snapshot is signed for, or never will be', async () => {
    tree.plant();
    const seen: string[] = [];
    bench.begin = () => {
      seen.push('begin');
      return () => seen.push(`end with ${site(0).ledger.manifests().length}`);
    };
    await bench.run([tree.path], { dryRun: true });
    await bench.run([tree.path]);
    await expect(bench.run(['/nowhere/at/all'])).rejects.toThrow('not found');
    expect(seen).toEqual(['begin', 'end with 1', 'begin', 'end with 1']);
  });

  test('that is dry stores nothing, and counts what it would', async () => {
    tree.plant();
    const { record, counts } = await bench.run([tree.path], { dryRun: true });
    expect(record).toBeUndefined();
    expect(counts).toMatchObject({ files: 5, filesNew: 5 });
    expect(site(0).shards.store.usage().shards).toBe(0);
    expect(site(0).ledger.manifests()).toEqual([]);
    const { index } = await bench.own();
    expect([...index.packs()]).toEqual([]);
  });

  test('says how many bytes it has stored, all copies and parity included', async () => {
    tree.plant();
    const { bytesAdded, bytesStored } = await bench.run([tree.path]);
    expect(bytesStored).toBeGreaterThanOrEqual(bytesAdded);
  });

  test('reports a path that is not there, and fails when none is', async () => {
    tree.plant();
    const { record, problems } = await bench.run([tree.path, '/nowhere/at/all']);
    expect(problems).toBe(1);
    expect(record).toBeDefined();
    await expect(bench.run(['/nowhere/at/all'])).rejects.toMatchObject({ code: 'not-found' });
    expect(site(0).ledger.manifests()).toHaveLength(1);
  });

  test('that is stopped signs nothing, and the next one is whole', async () => {
    tree.plant();
    const stop = new AbortController();
    source.trouble = {
      onRead: () => stop.abort(new HoldfastError('interrupted', 'stopped')),
    };
    const stopped = bench.run([tree.path], { signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    expect(site(0).ledger.manifests()).toEqual([]);
    source.trouble = {};
    await tree.expectIn((await bench.run([tree.path])).record, site(0));
  });

  test('waits for the one before it, whatever became of that', async () => {
    tree.plant();
    const failing = bench.run(['/nowhere/at/all']);
    const both = [bench.run([tree.path]), bench.run([tree.path])];
    await expect(failing).rejects.toMatchObject({ code: 'not-found' });
    const [first, second] = await Promise.all(both);
    expect(first?.record?.manifest.sequence).toBe(1);
    expect(second?.record?.manifest.sequence).toBe(2);
    expect(second?.counts.filesNew).toBe(0);
    await tree.expectIn(second?.record, site(0));
  });

  test('fails when shards can be put nowhere, and leaves no snapshot behind', async () => {
    tree.plant();
    const { store } = site(0).shards;
    const write = store.write.bind(store);
    store.write = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    await expect(bench.run([tree.path])).rejects.toMatchObject({ code: 'disk-full' });
    expect(site(0).ledger.manifests()).toEqual([]);
    store.write = write;
    await tree.expectIn((await bench.run([tree.path])).record, site(0));
  });
});
