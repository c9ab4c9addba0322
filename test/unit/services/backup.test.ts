import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { equal, printable } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { BackupBench, filesOf, openSnapshot } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { TroubledSource } from '../../support/scan-bench.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

let cluster: BackupCluster;
let scratch: ReturnType<typeof scratchDirectory>;
let bench: BackupBench;
let files: Map<string, Uint8Array>;

beforeEach(() => {
  scratch = scratchDirectory();
  source.trouble = {};
  files = new Map();
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

async function open(count: number, surviveSites: number): Promise<void> {
  cluster = await BackupCluster.open(count, { surviveSites });
  bench = new BackupBench(site(0), source);
}

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

function at(name: string): string {
  return join(scratch.path, name);
}

function write(name: string, bytes: Uint8Array): void {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), bytes);
  files.set(at(name), bytes);
}

function plant(): void {
  write('a', noise(100_000, 1));
  write('b/c', noise(2_000_000, 2));
  write('b/zeros', new Uint8Array(3_000_000).fill(7));
  write('b/d/e', new Uint8Array(0));
  write('b/copy of c', noise(2_000_000, 2));
}

/** What a site reads of a snapshot is what was written here. */
async function expectFiles(record: ManifestRecord | undefined, from: BackupSite): Promise<void> {
  const read = await filesOf(await openSnapshot(from, record));
  expect([...read.keys()].sort()).toEqual([...files.keys()].sort());
  for (const [path, bytes] of read) {
    expect(equal(bytes, files.get(path) as Uint8Array), path).toBe(true);
  }
}

describe('a backup to five sites', () => {
  test('is committed, and can be read at any three of them', async () => {
    await open(5, 2);
    plant();
    const { record, durability, counts, bytesAdded, bytesStored, words, problems } =
      await bench.run([scratch.path]);
    expect(durability).toMatchObject({ state: 'committed', sitesMayFail: 2, degradedPacks: 0 });
    expect(words).toContain('survives any 2 sites');
    expect(problems).toBe(0);
    expect(counts).toMatchObject({ files: 5, filesNew: 5, bytes: 7_100_000 });
    // One copy of what is there twice, and little of what compresses.
    expect(bytesAdded).toBeGreaterThan(2_100_000);
    expect(bytesAdded).toBeLessThan(2_400_000);
    expect(bytesStored).toBeGreaterThanOrEqual((bytesAdded * 5) / 3);
    await cluster.sync();
    cluster.isolate(0);
    cluster.isolate(3);
    for (const i of [1, 4]) await expectFiles(record, site(i));
  });

  test('is still made when a site is away, and says which', async () => {
    await open(5, 2);
    plant();
    cluster.isolate(2);
    const { record, durability, missingSites } = await bench.run([scratch.path]);
    expect(durability).toMatchObject({ state: 'committed', sitesMayFail: 1 });
    expect(missingSites).toEqual(['site-2']);
    await expectFiles(record, site(0));
  });
});

describe('the snapshots of a dataset', () => {
  beforeEach(() => open(1, 0));

  test('follow each other, and share what has not changed', async () => {
    plant();
    const first = await bench.run([scratch.path]);
    await expectFiles(first.record, site(0));
    write('b/new', noise(50_000, 5));
    rmSync(at('a'));
    files.delete(at('a'));
    const second = await bench.run([scratch.path]);
    expect(second.record?.manifest).toMatchObject({
      sequence: 2,
      previous: first.record?.hash,
      snapshotKind: 'increment',
    });
    expect(second.bytesAdded).toBeLessThan(100_000);
    await expectFiles(second.record, site(0));
  });

  test('can all be read after their index has been merged many times over', async () => {
    const records: (ManifestRecord | undefined)[] = [];
    for (let i = 0; i < 20; i++) {
      write(`file ${i}`, noise(1000 + i, i));
      records.push((await bench.run([scratch.path])).record);
    }
    const { index } = await bench.own();
    expect(index.segments().length).toBeLessThan(20);
    await expectFiles(records.at(-1), site(0));
    for (const i of [15, 16, 17, 18]) {
      const read = await filesOf(await openSnapshot(site(0), records[i]));
      expect(read.size).toBe(i + 1);
    }
  });

  test('are whole after everything that the source remembered is gone', async () => {
    plant();
    const first = await bench.run([scratch.path]);
    await bench.forget();
    write('b/new', noise(50_000, 5));
    const second = await bench.run([scratch.path]);
    expect(second.counts.filesUnmodified).toBe(0);
    expect(second.record?.manifest.previous).toBe(first.record?.hash);
    await expectFiles(second.record, site(0));
  });

  test('name the files that changed while they were read', async () => {
    plant();
    source.trouble = {
      result: (name, one) => (name === 'a' && 'isStable' in one ? { ...one, isStable: false } : one),
    };
    const { record, problems, counts, progress } = await bench.run([scratch.path]);
    expect(problems).toBe(1);
    expect(counts.filesUnstable).toBe(1);
    const reported = progress.flatMap((one) => (one.kind === 'problem' ? [one] : []));
    expect(reported.map(({ path }) => printable(path))).toEqual([at('a')]);
    const { root } = await openSnapshot(site(0), record);
    expect(root.unstable.map(({ path }) => printable(path))).toEqual([at('a')]);
    await expectFiles(record, site(0));
  });
});

describe('a run', () => {
  beforeEach(() => open(1, 0));

  test('that is dry stores nothing, and counts what it would', async () => {
    plant();
    const { record, counts } = await bench.run([scratch.path], { dryRun: true });
    expect(record).toBeUndefined();
    expect(counts).toMatchObject({ files: 5, filesNew: 5 });
    expect(site(0).shards.store.usage().shards).toBe(0);
    expect(site(0).ledger.manifests()).toEqual([]);
    const { index } = await bench.own();
    expect([...index.packs()]).toEqual([]);
  });

  test('reports a path that is not there, and fails when none is', async () => {
    plant();
    const { record, problems } = await bench.run([scratch.path, '/nowhere/at/all']);
    expect(problems).toBe(1);
    expect(record).toBeDefined();
    await expect(bench.run(['/nowhere/at/all'])).rejects.toMatchObject({ code: 'not-found' });
    expect(site(0).ledger.manifests()).toHaveLength(1);
  });

  test('that is stopped signs nothing, and the next one is whole', async () => {
    plant();
    const stop = new AbortController();
    source.trouble = {
      onRead: () => stop.abort(new HoldfastError('interrupted', 'stopped')),
    };
    const stopped = bench.run([scratch.path], { signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    expect(site(0).ledger.manifests()).toEqual([]);
    source.trouble = {};
    await expectFiles((await bench.run([scratch.path])).record, site(0));
  });

  test('waits for the one before it, whatever became of that', async () => {
    plant();
    const failing = bench.run(['/nowhere/at/all']);
    const both = [bench.run([scratch.path]), bench.run([scratch.path])];
    await expect(failing).rejects.toMatchObject({ code: 'not-found' });
    const [first, second] = await Promise.all(both);
    expect(first?.record?.manifest.sequence).toBe(1);
    expect(second?.record?.manifest.sequence).toBe(2);
    expect(second?.counts.filesNew).toBe(0);
    await expectFiles(second?.record, site(0));
  });

  test('fails when shards can be put nowhere, and leaves no snapshot behind', async () => {
    plant();
    const { store } = site(0).shards;
    const write = store.write.bind(store);
    store.write = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    await expect(bench.run([scratch.path])).rejects.toMatchObject({ code: 'disk-full' });
    expect(site(0).ledger.manifests()).toEqual([]);
    store.write = write;
    await expectFiles((await bench.run([scratch.path])).record, site(0));
  });
});
