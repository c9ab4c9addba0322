import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { equal, utf8 } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { PathPattern } from '../../../src/core/policy/path-pattern.ts';
import { noise } from '../../support/build-snapshot.ts';
import { ScanBench, TroubledSource } from '../../support/scan-bench.ts';
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
  for (const name of ['a', 'b', 'c']) writeFileSync(at(name), name);
  mkdirSync(at('d/e'), { recursive: true });
  writeFileSync(at('d/e/f'), 'f');
});

afterEach(() => scratch[Symbol.asyncDispose]());

function at(name: string): string {
  return join(root, name);
}

function names(entries: ReadonlyMap<string, unknown>): string[] {
  const below = [...entries.keys()].filter((path) => path.startsWith(`${root}/`));
  return below.map((path) => path.slice(root.length + 1)).sort();
}

describe('what is left out of a snapshot', () => {
  test('are excluded names, with everything below them', async () => {
    const excludes = [PathPattern.parse('b'), PathPattern.parse(`${root}/d`)];
    const { entries, problems } = await bench.scan([root], { excludes });
    expect(names(entries)).toEqual(['a', 'c']);
    expect(problems).toEqual([]);
  });

  test('is the content of caches, not their names', async () => {
    writeFileSync(at('d/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55');
    const { entries, reads } = await bench.scan([root], { excludeCaches: true });
    expect(names(entries)).toEqual(['a', 'b', 'c', 'd']);
    expect(entries.get(at('d'))?.tree).toEqual([]);
    expect(reads.toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('is the content of other file systems, when one is asked for', async () => {
    bench.source.trouble = { device: (path) => (path === at('d') ? 99n : undefined) };
    const { entries } = await bench.scan([root], { oneFileSystem: true });
    expect(names(entries)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('is not a cache around a path that was asked for', async () => {
    writeFileSync(at('d/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55');
    const { entries } = await bench.scan([at('d/e')], { excludeCaches: true });
    expect(names(entries)).toEqual(['d', 'd/e', 'd/e/f']);
  });

  test('is not a whole file system that was asked for', async () => {
    // The path is where another file system is mounted.
    const inside = at('d/e');
    bench.source.trouble = { device: (path) => (path.startsWith(inside) ? 99n : undefined) };
    const { entries } = await bench.scan([inside], { oneFileSystem: true });
    expect(names(entries)).toEqual(['d', 'd/e', 'd/e/f']);
  });
});

describe('a file', () => {
  test('that vanishes before it is read is reported, and the others are stored', async () => {
    bench.source.trouble = { onRead: () => rmSync(at('b'), { force: true }) };
    const { entries, problems, counts } = await bench.scan([root]);
    expect(names(entries)).toEqual(['a', 'c', 'd', 'd/e', 'd/e/f']);
    expect(problems).toEqual([
      { path: at('b'), reason: expect.stringContaining('vanished'), isUnstable: true },
    ]);
    expect(counts).toMatchObject({ files: 3, filesUnstable: 1 });
  });

  test('that cannot be read is reported with the reason, and tried again next time', async () => {
    const result = (name: string) => {
      if (name === 'b') return { outcome: 'failed', reason: 'an input/output error' } as const;
      return undefined;
    };
    bench.source.trouble = { result: (name, one) => result(name) ?? one };
    const { entries, problems } = await bench.scan([root]);
    expect(names(entries)).not.toContain('b');
    expect(problems).toEqual([
      { path: at('b'), reason: 'an input/output error', isUnstable: false },
    ]);
    bench.source.trouble = {};
    const second = await bench.scan([root]);
    expect(second.reads).toEqual(['b']);
    expect(names(second.entries)).toContain('b');
  });

  test('that changes each time it is read is stored, said to be so, and read again next time', async () => {
    let changes = 0;
    bench.source.trouble = {
      result: (name, one) =>
        name === 'b' && one.outcome === 'read' && ++changes > 0 ? { ...one, isStable: false } : one,
    };
    const first = await bench.scan([root]);
    expect(changes).toBe(3);
    expect(first.problems).toEqual([
      { path: at('b'), reason: expect.stringContaining('changed'), isUnstable: true },
    ]);
    expect(first.counts).toMatchObject({ files: 4, filesUnstable: 1 });
    expect(equal(bench.content(first.entries.get(at('b'))), utf8('b'))).toBe(true);
    bench.source.trouble = {};
    expect((await bench.scan([root])).reads).toEqual(['b']);
  });

  test('that keeps growing between its parts is as long as what was read of it', async () => {
    writeFileSync(at('log'), noise(6_000_000, 2));
    bench.source.trouble = {
      onRead: (batch) => {
        if (batch.includes('log')) appendFileSync(at('log'), 'one more line\n');
      },
    };
    const { entries, problems, reads } = await bench.scan([root]);
    const entry = entries.get(at('log'));
    expect(problems.map(({ path, isUnstable }) => [path, isUnstable])).toEqual([[at('log'), true]]);
    expect(bench.content(entry)).toHaveLength(entry?.size ?? -1);
    expect(reads.filter((name) => name === 'log').length).toBeGreaterThanOrEqual(6);
  });

  test('that shrinks between its parts is stored as it is in the end', async () => {
    writeFileSync(at('log'), noise(6_000_000, 2));
    let parts = 0;
    bench.source.trouble = {
      onRead: (batch) => {
        if (batch.includes('log') && ++parts === 2) writeFileSync(at('log'), 'short');
      },
    };
    const { entries, problems } = await bench.scan([root]);
    expect(problems).toEqual([]);
    expect(equal(bench.content(entries.get(at('log'))), utf8('short'))).toBe(true);
  });
});

describe('a directory', () => {
  const failure = (): never => {
    throw new HoldfastError('io-error', 'the device reported an input/output error');
  };

  test('that cannot be entered is reported, and the rest is stored', async () => {
    bench.source.trouble = { onEnter: (path) => path === at('d/e') && failure() };
    const { entries, problems } = await bench.scan([root]);
    expect(names(entries)).toEqual(['a', 'b', 'c', 'd']);
    expect(problems).toEqual([
      { path: at('d/e'), reason: expect.stringContaining('input/output'), isUnstable: false },
    ]);
  });

  test('that cannot be listed is reported, and the rest is stored', async () => {
    bench.source.trouble = { onList: (path) => path === at('d/e') && failure() };
    const { entries, problems } = await bench.scan([root]);
    expect(names(entries)).toEqual(expect.arrayContaining(['a', 'b', 'c', 'd']));
    expect(problems.map(({ path }) => path)).toEqual([at('d/e')]);
  });
});
