import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { equal, utf8 } from '../../../src/base/bytes.ts';
import { kindOf } from '../../../src/core/format/tree.ts';
import { DatasetIndex } from '../../../src/services/dataset-index.ts';
import { dataset, noise } from '../../support/build-snapshot.ts';
import { ScanBench, type ScanResult, TroubledSource } from '../../support/scan-bench.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

let scratch: ReturnType<typeof scratchDirectory>;
let bench: ScanBench;
let root: string;

beforeEach(() => {
  scratch = scratchDirectory();
  root = scratch.path;
  bench = new ScanBench(source);
});

afterEach(async () => {
  await scratch[Symbol.asyncDispose]();
});

function at(name: string): string {
  return join(root, name);
}

/** A small tree with several directories and a file of many chunks. */
function plant(): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {
    a: utf8('first'),
    'b/c': noise(30_000, 3),
    'b/d': noise(300_000, 4),
    'b/e/f': utf8('deep'),
    z: new Uint8Array(0),
  };
  mkdirSync(at('b/e'), { recursive: true });
  mkdirSync(at('empty'));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(at(name), bytes);
  symlinkSync('b/c', at('link'));
  return files;
}

function expectContent(result: ScanResult, files: Record<string, Uint8Array>): void {
  for (const [name, bytes] of Object.entries(files)) {
    const entry = result.entries.get(at(name));
    expect(entry?.size, name).toBe(bytes.length);
    expect(equal(bench.content(entry), bytes), name).toBe(true);
  }
}

describe('a first scan', () => {
  test('stores every name with its content', async () => {
    const files = plant();
    const result = await bench.scan([root]);
    expect(result.problems).toEqual([]);
    expectContent(result, files);
    expect(kindOf(result.entries.get(at('empty'))?.mode ?? 0)).toBe('directory');
    expect(result.entries.get(at('link'))?.target).toEqual(utf8('b/c'));
    expect(result.counts).toMatchObject({
      files: 5,
      others: 1,
      filesNew: 5,
      filesChanged: 0,
      filesUnmodified: 0,
      filesUnstable: 0,
      bytes: 330_009,
      bytesRead: 330_009,
    });
    // Nothing beside the path asked for, and what leads to it.
    const outside = [...result.entries.keys()].filter((path) => !path.startsWith(root));
    expect(outside.every((path) => root.startsWith(`${path}/`))).toBe(true);
  });

  test('takes a file named itself, and says which paths it has not come across', async () => {
    plant();
    const result = await bench.scan([at('b/c'), at('gone')]);
    expect(result.entries.has(at('b/c'))).toBe(true);
    expect(result.entries.has(at('b/d'))).toBe(false);
    expect(result.missing).toEqual([at('gone')]);
  });

  test('stores the extents of a long file as chunks of their own', async () => {
    const bytes = noise(9_000_000, 9);
    writeFileSync(at('long'), bytes);
    const result = await bench.scan([root]);
    const entry = result.entries.get(at('long'));
    expect(entry?.content).toEqual([]);
    expect(entry?.contentList.length).toBeGreaterThan(0);
    expect(equal(bench.content(entry), bytes)).toBe(true);
    // More than one slab, hence in parts.
    expect(result.reads.length).toBeGreaterThan(2);
    const { reads, neededPacks } = await bench.scan([root]);
    expect(reads).toEqual([]);
    // Others may change what lies on the way down to the scratch directory, and that is stored anew then.
    expect(neededPacks).toEqual(new Set([...neededPacks, ...result.neededPacks]));
  });

  test('keeps holes as holes', async () => {
    writeFileSync(at('sparse'), noise(5000, 5));
    truncateSync(at('sparse'), 1_000_000);
    const result = await bench.scan([root]);
    const entry = result.entries.get(at('sparse'));
    expect(entry?.size).toBe(1_000_000);
    expect(entry?.content.at(-1)?.id).toBeUndefined();
    expect(result.counts.bytesRead).toBeLessThan(10_000);
    expect(bench.content(entry)).toHaveLength(1_000_000);
  });

  test('cuts the stream of a large directory', async () => {
    for (let i = 0; i < 800; i++) writeFileSync(at(`a file with a name of some length ${i}`), '');
    const result = await bench.scan([root]);
    expect(result.entries.get(root)?.tree.length).toBeGreaterThan(1);
    expect(result.counts.files).toBe(800);
    expect([...result.entries.keys()].filter((path) => path.startsWith(`${root}/`))).toHaveLength(
      800,
    );
  });
});

describe('hard links', () => {
  test('of one file are read once, and known as links of each other', async () => {
    const bytes = noise(50_000, 1);
    writeFileSync(at('one'), bytes);
    linkSync(at('one'), at('two'));
    writeFileSync(at('other'), 'x');
    const result = await bench.scan([root]);
    expect(result.reads.toSorted()).toEqual(['one', 'other']);
    const [one, two] = ['one', 'two'].map((name) => result.entries.get(at(name)));
    expectContent(result, { one: bytes, two: bytes });
    expect(one?.linkGroup).not.toBe(0n);
    expect(two?.linkGroup).toBe(one?.linkGroup);
    expect(result.entries.get(at('other'))?.linkGroup).toBe(0n);
    expect(result.counts.bytesRead).toBe(50_001);
  });
});

describe('a second scan', () => {
  beforeEach(async () => {
    plant();
    await bench.scan([root]);
  });

  test('of unchanged files reads nothing, and gives the same tree', async () => {
    const before = await bench.scan([root]);
    const after = await bench.scan([root]);
    expect(after.reads).toEqual([]);
    expect(after.chunksNew).toBe(0);
    expect(after.tree).toEqual(before.tree);
    expect(after.neededPacks).toEqual(before.neededPacks);
    expect(after.counts).toMatchObject({ files: 5, filesUnmodified: 5, bytes: 330_009 });
    expect(after.counts.bytesRead).toBe(0);
  });

  test('takes unchanged directories over as they are, and stores those above a change', async () => {
    const below = (paths: readonly string[]): string[] =>
      paths.filter((path) => path.startsWith(root)).map((path) => path.slice(root.length));
    expect(below((await bench.scan([root])).directoriesStored)).toEqual([]);
    writeFileSync(at('b/e/f'), 'other');
    const changed = await bench.scan([root]);
    expect(below(changed.directoriesStored).toSorted()).toEqual(['', '/b', '/b/e']);
    expectContent(changed, { 'b/e/f': utf8('other'), 'b/d': noise(300_000, 4) });
  });

  test('stores a directory again whose stream lies in a pack that was lost', async () => {
    const first = await bench.scan([root]);
    const index = await DatasetIndex.open(bench.store, dataset);
    const packs = [...index.packs()].map(({ entry }) => entry.pack);
    await index.forgetPacks(packs);
    bench.chunks.clear();
    const again = await bench.scan([root]);
    expect(again.entries.size).toBe(first.entries.size);
    expectContent(again, { 'b/e/f': utf8('deep') });
    // Or each loss of packs would look as if somebody had rewritten all files.
    expect(again.counts).toMatchObject({ filesChanged: 0, filesUnmodified: 5 });
  });

  test('that is forced reads everything, and stores nothing again', async () => {
    const { reads, chunksNew } = await bench.scan([root], { force: true });
    expect(reads.length).toBeGreaterThanOrEqual(5);
    expect(chunksNew).toBe(0);
  });

  test('reads what has changed, and only that', async () => {
    appendFileSync(at('b/d'), 'more');
    writeFileSync(at('b/new'), 'new');
    const result = await bench.scan([root]);
    expect(result.reads.toSorted()).toEqual(['d', 'new']);
    const grown = Buffer.concat([noise(300_000, 4), Buffer.from('more')]);
    expectContent(result, { 'b/d': grown, 'b/new': utf8('new'), 'b/c': noise(30_000, 3) });
    expect(result.counts).toMatchObject({ filesNew: 1, filesChanged: 1, filesUnmodified: 4 });
  });

  test('sees a change of metadata alone, and stores no content for it', async () => {
    chmodSync(at('b/d'), 0o600);
    const result = await bench.scan([root]);
    expect((result.entries.get(at('b/d'))?.mode ?? 0) & 0o777).toBe(0o600);
    expect(result.counts).toMatchObject({ files: 5, filesUnmodified: 4, filesChanged: 1 });
    expectContent(result, { 'b/d': noise(300_000, 4) });
  });

  test('sees another file under the name, of the same size and time', async () => {
    writeFileSync(at('other'), 'fIrst');
    renameSync(at('other'), at('a'));
    expectContent(await bench.scan([root]), { a: utf8('fIrst') });
  });

  test('forgets what is gone', async () => {
    rmSync(at('b/e'), { recursive: true });
    const result = await bench.scan([root]);
    expect(result.entries.has(at('b/e'))).toBe(false);
    expect(result.entries.has(at('b/e/f'))).toBe(false);
    expect(result.reads).toEqual([]);
  });

  test('reads again what lies in packs that are no longer known', async () => {
    const packs: Uint8Array[] = [];
    const all = [new Uint8Array(0), new Uint8Array(60).fill(0xff)] as const;
    for await (const { key } of bench.store.range(...all)) if (key[16] === 0x70) packs.push(key);
    await bench.store.batch(packs.map((key) => ({ type: 'delete', key })));
    bench.chunks.clear();
    const result = await bench.scan([root]);
    expect(result.reads.toSorted()).toEqual(['a', 'c', 'd', 'f']);
    expectContent(result, { a: utf8('first'), 'b/c': noise(30_000, 3), 'b/e/f': utf8('deep') });
  });
});

test('a file changed just before it was read is not trusted later: the next change might not show', async () => {
  plant();
  bench.nowMs = Date.now();
  await bench.scan([root]);
  const { reads } = await bench.scan([root]);
  expect(reads).toContain('a');
});

test('more files than may wait at once are all stored', async () => {
  for (let i = 0; i < 200; i++) {
    mkdirSync(at(`d${i % 20}/${i}`), { recursive: true });
    writeFileSync(at(`d${i % 20}/${i}/file`), `${i}`);
  }
  const result = await bench.scan([root]);
  expect(result.counts.files).toBe(200);
  for (let i = 0; i < 200; i += 37) {
    expectContent(result, { [`d${i % 20}/${i}/file`]: utf8(`${i}`) });
  }
});
