import { describe, expect, test } from 'vitest';
import { collect } from '../../../src/adapters/system/allocator.ts';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { PathPattern } from '../../../src/core/policy/path-pattern.ts';
import type { FileFacts, SourceDirectory } from '../../../src/ports/source.ts';
import { type Below, ScanAhead } from '../../../src/services/scan-ahead.ts';
import { Selection } from '../../../src/services/selection.ts';

/** Directories by name; a number stands for that many files. */
type Tree = { [name: string]: Tree | number };

/** What the disk was asked for, and how it answers. */
class Disk {
  readonly tree: Tree;
  readonly entered: string[] = [];
  readonly listed: string[] = [];
  open = 0;
  /** Entries listed. */
  entries = 0;
  readonly listings: WeakRef<object>[] = [];
  listing: (path: string) => Promise<void> = async () => {};
  entering: (path: string) => void = () => {};

  constructor(tree: Tree) {
    this.tree = tree;
  }

  directory(path: string, tree: Tree): SourceDirectory {
    this.open++;
    let isOpen = true;
    const use = (): void => {
      if (!isOpen) throw new Error(`${path} is used after it was closed`);
    };
    return {
      list: async () => {
        use();
        this.listed.push(path);
        await this.listing(path);
        const all = Object.entries(tree).flatMap(([name, inside]) =>
          typeof inside === 'number'
            ? Array.from({ length: inside }, (_, i) => entry(`${name}${i}`, 0o100644))
            : [entry(name, 0o040755)],
        );
        this.entries += all.length;
        this.listings.push(new WeakRef(all));
        return all;
      },
      enter: async (bytes) => {
        use();
        const name = fromUtf8(bytes) ?? '';
        this.entered.push(`${path}/${name}`);
        this.entering(`${path}/${name}`);
        const inside = tree[name];
        if (typeof inside !== 'object') throw new HoldfastError('not-found', `no ${name}`);
        return this.directory(`${path}/${name}`, inside);
      },
      readLink: () => new Uint8Array(),
      xattrs: () => [],
      ownXattrs: () => [],
      ownFacts: () => facts(0o040755),
      peek: () => undefined,
      [Symbol.asyncDispose]: async () => {
        if (isOpen) this.open--;
        isOpen = false;
      },
    };
  }
}

function facts(mode: number): FileFacts {
  const zero = { uid: 0, gid: 0, size: 0, mtimeNs: 0n, ctimeNs: 0n, inode: 0n, rdev: 0n };
  return { ...zero, mode, device: 1n, linkCount: 1 };
}

function entry(name: string, mode: number): { name: Uint8Array; facts: FileFacts } {
  return { name: utf8(name), facts: facts(mode) };
}

function aheadOf(excludes: readonly string[] = []): { ahead: ScanAhead; time: { nowMs: number } } {
  const time = { nowMs: 1_000_000 };
  const none = { excludeIfPresent: [], excludeCaches: false, excludeLargerThan: undefined };
  const selection = new Selection({
    ...none,
    oneFileSystem: false,
    paths: [utf8('/')],
    excludes: excludes.map((text) => PathPattern.parse(text)),
  });
  const clock = {
    nowMs: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    sleep: async () => {},
  };
  const index = { directory: () => undefined };
  return { ahead: new ScanAhead({ index, selection, clock, force: false }), time };
}

/** Paths in the order of the walk; `at` is called when it has come to one. */
async function walk(
  ahead: ScanAhead,
  below: Below,
  at: (path: string) => Promise<void> | void = () => {},
): Promise<string[]> {
  const place = await ahead.place(below);
  const listing = await ahead.listing(below);
  const path = fromUtf8(place.path) ?? '';
  await at(path);
  const paths = [path];
  for (const one of listing.entries) {
    const next = listing.below.get(one);
    if (next !== undefined) paths.push(...(await walk(ahead, next, at)));
  }
  await ahead.close(place);
  return paths;
}

/** `count` directories with `files` in each, and one more level below them. */
function wide(count: number, files: number): Tree {
  const inner = { file: files };
  const names = Array.from({ length: count }, (_, i) => `d${String(i).padStart(5, '0')}`);
  return Object.fromEntries(names.map((name) => [name, { file: files, inner }]));
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('directories ahead of a walk', () => {
  test('are walked in name order, each once, and closed', async () => {
    const disk = new Disk({ a: { x: { y: 2 } }, 'a-b': { f: 1 }, b: {}, file: 3 });
    const { ahead } = aheadOf();
    const top = ahead.begin(disk.directory('', disk.tree));
    expect(await walk(ahead, top)).toEqual(['', '/a', '/a/x', '/a-b', '/b']);
    expect(disk.listed.toSorted()).toEqual(['', '/a', '/a-b', '/a/x', '/b']);
    expect(disk.open).toBe(0);
  });

  test('are entered unless they are excluded', async () => {
    const disk = new Disk({ a: { cache: { f: 1 } }, cache: { g: { h: 1 } } });
    const { ahead } = aheadOf(['cache']);
    expect(await walk(ahead, ahead.begin(disk.directory('', disk.tree)))).toEqual(['', '/a']);
    expect(disk.entered).toEqual(['/a']);
  });

  test('are listed many at a time before the walk comes, and not too many', async () => {
    const disk = new Disk(wide(2000, 20));
    const { ahead } = aheadOf();
    let [most, together, walked] = [0, 0, 0];
    let underWay = 0;
    disk.listing = async () => {
      together = Math.max(together, ++underWay);
      await nextTurn();
      underWay--;
    };
    await walk(ahead, ahead.begin(disk.directory('', disk.tree)), async (path) => {
      await nextTurn();
      const isInner = path.endsWith('/inner');
      walked += path === '' ? 2000 : isInner ? 20 : 21;
      most = Math.max(most, disk.entries - walked);
    });
    expect(together).toBeGreaterThanOrEqual(16);
    expect(most).toBeGreaterThan(4000);
    expect(most).toBeLessThan(20_000);
    expect(disk.listed).toHaveLength(4001);
    expect(disk.open).toBe(0);
  });

  test('are let go once the walk has been there, while it goes on', async () => {
    const disk = new Disk(wide(300, 5));
    const { ahead } = aheadOf();
    const top = ahead.begin(disk.directory('', disk.tree));
    const kept = (): number => disk.listings.filter((one) => one.deref() !== undefined).length;
    const atEnd = { listed: 0, kept: 0 };
    await walk(ahead, top, async (path) => {
      if (path !== '/d00299/inner') return;
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
      Object.assign(atEnd, { listed: disk.listings.length, kept: kept() });
    });
    expect(atEnd.listed).toBe(601);
    expect(atEnd.kept).toBeLessThan(20);
    expect(top.path).toHaveLength(0);
  });

  test('that lie deep are listed before neighbours that come long after them', async () => {
    const deep = { a: { b: { c: { d: { e: { file: 1 } } } } } };
    const disk = new Disk({ '0': deep, ...wide(2000, 40) });
    const { ahead } = aheadOf();
    disk.listing = nextTurn;
    const ready: number[] = [];
    await walk(ahead, ahead.begin(disk.directory('', disk.tree)), (path) => {
      if (path.startsWith('/0/')) ready.push(disk.listed.length);
    });
    expect(Math.max(...ready)).toBeLessThan(600);
  });

  test('may be two hundred thousand in one directory', async () => {
    const names = Array.from({ length: 200_000 }, (_, i) => [`d${i}`, {}] as const);
    const disk = new Disk(Object.fromEntries(names));
    const { ahead } = aheadOf();
    const { below } = await ahead.listing(ahead.begin(disk.directory('', disk.tree)));
    expect(below.size).toBe(200_000);
    await ahead[Symbol.asyncDispose]();
  });

  test('are listed again when the walk comes late, and sees what is there by then', async () => {
    const late: Tree = { old: { file: 1 } };
    const disk = new Disk({ a: { file: 1 }, late });
    const { ahead, time } = aheadOf();
    const seen = await walk(ahead, ahead.begin(disk.directory('', disk.tree)), async (path) => {
      if (path !== '/a') return;
      for (let i = 0; i < 20; i++) await nextTurn();
      expect(disk.listed).toContain('/late/old');
      late.new = { file: 1 };
      delete late.old;
      time.nowMs += 5001;
    });
    expect(seen).toEqual(['', '/a', '/late', '/late/new']);
    await nextTurn();
    expect(disk.open).toBe(0);
  });

  test('carry the time before which they were listed', async () => {
    const disk = new Disk({ a: {} });
    const { ahead, time } = aheadOf();
    const top = ahead.begin(disk.directory('', disk.tree));
    const first = await ahead.listing(top);
    const [below] = [...first.below.values()];
    await nextTurn();
    time.nowMs += 4000;
    const listing = await ahead.listing(below as Below);
    expect(listing.settledBefore).toBe(1_000_000n * 1_000_000n - 100_000_000n);
  });

  test('that vanish or cannot be listed are told where the walk comes to them', async () => {
    const disk = new Disk({ a: { file: 1 }, b: { file: 1 }, c: { file: 1 } });
    const { ahead } = aheadOf();
    disk.entering = (path) => {
      if (path === '/b') throw new HoldfastError('not-found', 'b has vanished');
    };
    disk.listing = async (path) => {
      if (path === '/a') throw new HoldfastError('io-error', 'cannot list the directory');
    };
    const { below } = await ahead.listing(ahead.begin(disk.directory('', disk.tree)));
    const [a, b, c] = [...below.values()] as [Below, Below, Below];
    expect((await ahead.listing(a)).problem?.code).toBe('io-error');
    await expect(ahead.place(b)).rejects.toMatchObject({ code: 'not-found' });
    expect((await ahead.listing(c)).entries).toHaveLength(1);
  });

  test('are closed when the walk ends before it has come to them', async () => {
    const disk = new Disk(wide(300, 5));
    disk.listing = nextTurn;
    const { ahead } = aheadOf();
    const top = ahead.begin(disk.directory('', disk.tree));
    const ended = walk(ahead, top, (path) => {
      if (path === '/d00003') throw new Error('it ends');
    });
    await expect(ended).rejects.toThrow('it ends');
    await ahead[Symbol.asyncDispose]();
    for (let i = 0; i < 10; i++) await nextTurn();
    expect(disk.open).toBe(0);
  });
});
