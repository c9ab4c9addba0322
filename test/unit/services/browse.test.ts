import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { PathPattern } from '../../../src/core/policy/path-pattern.ts';
import { dumpFile, findEntries, listEntries } from '../../../src/services/browse.ts';
import { diffSnapshots } from '../../../src/services/snapshot-diff.ts';
import { type SnapshotReader, splitPath } from '../../../src/services/snapshot-reader.ts';
import {
  buildSnapshot,
  directory,
  file,
  noise,
  peerAt,
  SampleSnapshot,
  type SampleTree,
} from '../../support/build-snapshot.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { expectSame } from '../../support/same-bytes.ts';
import { entryWith } from '../../support/tree-entries.ts';

const tree: SampleTree = {
  etc: directory({ hosts: file(120, 1), 'odd\u001b[31m': file(1, 2) }),
  home: directory({
    a: directory({ docs: directory({ 'one.txt': file(3000, 2), 'two.bin': file(9000, 3) }) }),
  }),
  link: { kind: 'raw', entry: { mode: 0o120777, target: utf8('etc/hosts') } },
};

async function open(of: SampleTree, idKey?: Uint8Array): Promise<SnapshotReader> {
  const clock = new ManualClock();
  const snapshot = await buildSnapshot(of, idKey === undefined ? { clock } : { clock, idKey });
  return snapshot.open();
}

function path(text: string): Uint8Array[] {
  return splitPath(utf8(text));
}

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of of) items.push(item);
  return items;
}

describe('listing', () => {
  test('shows a directory’s entries with what they are', async () => {
    const reader = await open(tree);
    const entries = await all(listEntries(reader, { path: [], isRecursive: false }));
    expect(entries.map(({ path: at, kind }) => [at, kind])).toEqual([
      ['/etc', 'directory'],
      ['/home', 'directory'],
      ['/link', 'symlink'],
    ]);
    expect(entries[2]).toMatchObject({ target: 'etc/hosts', mtimeNs: '1700000000123456789' });
  });

  test('shows everything below when asked to, a directory before its content', async () => {
    const reader = await open(tree);
    const entries = await all(listEntries(reader, { path: path('/home'), isRecursive: true }));
    expect(entries.map((entry) => entry.path)).toEqual([
      ...['/home/a', '/home/a/docs', '/home/a/docs/one.txt', '/home/a/docs/two.bin'],
    ]);
  });

  test('shows a file itself, and refuses what is not there', async () => {
    const reader = await open(tree);
    const [hosts] = await all(
      listEntries(reader, { path: path('etc//./hosts'), isRecursive: false }),
    );
    expect(hosts).toMatchObject({ path: '/etc/hosts', size: 120, kind: 'file' });
    const missing = all(listEntries(reader, { path: path('/etc/none'), isRecursive: false }));
    await expect(missing).rejects.toMatchObject({ code: 'not-found' });
    expect(() => path('/etc/../home')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('a name that a terminal would obey is escaped, its bytes given beside', async () => {
    const reader = await open(tree);
    const entries = await all(listEntries(reader, { path: path('/etc'), isRecursive: false }));
    expect(entries[1]?.path).toBe('/etc/odd\\x1b[31m');
    expect(entries[1]?.pathBase64).toBe(btoa('/etc/odd\u001b[31m'));
    expect(entries[0]).not.toHaveProperty('pathBase64');
  });

  test('a directory of many chunks is listed completely', async () => {
    const snapshot = new SampleSnapshot({ clock: new ManualClock() });
    const names = Array.from(
      { length: 3000 },
      (_, i) => `file-${String(i).padStart(5, '0')}-${'x'.repeat(40)}`,
    );
    const ids = snapshot.storeEntries(names.map((name) => entryWith({ name: utf8(name) })));
    expect(ids.length).toBeGreaterThan(2);
    await snapshot.finish(ids);
    const reader = await snapshot.open();
    const entries = await all(listEntries(reader, { path: [], isRecursive: false }));
    expect(entries.map((entry) => entry.path.slice(1))).toEqual(names);
    expect((await reader.resolve([utf8(names[2999] as string)])).name).toEqual(
      utf8(names[2999] as string),
    );
  });

  test('chunks of a directory in a wrong order are refused', async () => {
    const snapshot = new SampleSnapshot({ clock: new ManualClock() });
    const [a, b] = ['a', 'b'].map(
      (name) => snapshot.storeEntries([entryWith({ name: utf8(name) })])[0],
    );
    await snapshot.finish([b as Uint8Array, a as Uint8Array]);
    const listed = all(listEntries(await snapshot.open(), { path: [], isRecursive: false }));
    await expect(listed).rejects.toMatchObject({ code: 'bad-encoding' });
  });
});

describe('finding', () => {
  test.each([
    ['*.txt', ['/home/a/docs/one.txt']],
    ['/home/*', ['/home/a']],
    ['**/docs/*', ['/home/a/docs/one.txt', '/home/a/docs/two.bin']],
    ['docs/', ['/home/a/docs']],
    ['nothing', []],
  ])('%s', async (pattern, found) => {
    const reader = await open(tree);
    const entries = await all(findEntries(reader, { pattern: PathPattern.parse(pattern) }));
    expect(entries.map((entry) => entry.path)).toEqual(found);
  });

  test('directories in which an anchored pattern finds nothing are not read', async () => {
    const snapshot = await buildSnapshot(
      { ...tree, lost: { kind: 'directory', children: { x: file(1) }, pack: 1 } },
      { clock: new ManualClock() },
    );
    for (const peer of [0, 1, 2])
      snapshot.network.take(peerAt(peer), snapshot.dataPacks[1] as never, peer);
    const reader = await snapshot.open();
    const find = (text: string) => all(findEntries(reader, { pattern: PathPattern.parse(text) }));
    expect(await find('/etc/hosts')).toHaveLength(1);
    await expect(find('hosts')).rejects.toMatchObject({ code: 'too-few-shards' });
  });
});

describe('dumping', () => {
  test('gives a file’s bytes in order, holes as zeros', async () => {
    const [head, tail] = [noise(120_000, 6), noise(70_000, 7)];
    const reader = await open({
      plain: file(400_000, 5),
      sparse: { kind: 'file', content: [300_000, head, 1_000, tail, 7] },
    });
    const dump = async (of: string) => concat(await all(dumpFile(reader, { path: path(of) })));
    expectSame(await dump('/plain'), noise(400_000, 5));
    const zeros = (count: number): Uint8Array => new Uint8Array(count);
    expectSame(await dump('/sparse'), concat([zeros(300_000), head, zeros(1_000), tail, zeros(7)]));
  });

  test('what it gives is the reader’s own: changing it spoils nothing', async () => {
    const reader = await open({ plain: file(1000, 5) });
    for await (const bytes of dumpFile(reader, { path: path('/plain') })) bytes.fill(0);
    expect(concat(await all(dumpFile(reader, { path: path('/plain') })))).toEqual(noise(1000, 5));
  });

  test('refuses anything but a file', async () => {
    const reader = await open(tree);
    for (const of of ['/etc', '/link']) {
      await expect(all(dumpFile(reader, { path: path(of) }))).rejects.toMatchObject({
        code: 'usage',
      });
    }
  });
});

describe('comparing snapshots', () => {
  async function diff(a: SampleTree, b: SampleTree, at = '/', key?: Uint8Array): Promise<string[]> {
    const [from, to] = [await open(a), await open(b, key)];
    const changes = await all(diffSnapshots({ from, to, path: path(at) }));
    return changes.map(({ change, path: of }) => `${change} ${of}`);
  }

  const before: SampleTree = {
    a: directory({ same: file(10, 1), edited: file(10, 2), gone: file(10, 3) }),
    dir: directory({ x: file(5), y: directory({ z: file(6) }) }),
    link: { kind: 'raw', entry: { mode: 0o120777, target: utf8('old') } },
  };
  const after: SampleTree = {
    a: directory({
      same: file(10, 1),
      edited: file(10, 20),
      fresh: directory({ inner: file(1) }),
    }),
    dir: file(7),
    link: { kind: 'raw', entry: { mode: 0o120777, target: utf8('new') } },
  };

  test('equal snapshots have no differences', async () => {
    expect(await diff(before, before)).toEqual([]);
  });

  test('names every kind of change, with all that came or went below', async () => {
    expect(await diff(before, after)).toEqual([
      ...['content /a/edited', 'added /a/fresh', 'added /a/fresh/inner', 'removed /a/gone'],
      ...['type /dir', 'removed /dir/x', 'removed /dir/y', 'removed /dir/y/z', 'content /link'],
    ]);
    expect(await diff(before, after, '/a')).toHaveLength(4);
  });

  test('metadata alone is told from content', async () => {
    const with_ = (entry: object): SampleTree => ({
      f: file(10, 1, { entry }),
      d: directory({}, entry),
    });
    expect(await diff(with_({}), with_({ uid: 4242 }))).toEqual(['metadata /d', 'metadata /f']);
    expect(await diff(with_({}), with_({ mtimeNs: 5n }))).toEqual(['metadata /f']);
    const xattrs = [{ name: utf8('user.a'), value: utf8('1') }];
    expect(await diff(with_({}), with_({ xattrs }))).toEqual(['metadata /d', 'metadata /f']);
  });

  test('subtrees with equal ids are not read', async () => {
    const clock = new ManualClock();
    const lost = { kind: 'directory', children: { x: file(1) }, pack: 1 } as const;
    const snapshots = [];
    for (const seed of [1, 2]) {
      const snapshot = await buildSnapshot({ lost, f: file(9, seed) }, { clock });
      for (const peer of [0, 1, 2]) {
        snapshot.network.take(peerAt(peer), snapshot.dataPacks[1] as never, peer);
      }
      snapshots.push(await snapshot.open());
    }
    const [from, to] = snapshots as [SnapshotReader, SnapshotReader];
    const changes = await all(diffSnapshots({ from, to, path: [] }));
    expect(changes).toEqual([{ change: 'content', path: '/f' }]);
  });

  test('snapshots under different keys are compared by size and time', async () => {
    const key = new Uint8Array(32).fill(9);
    expect(await diff(before, before, '/', key)).toEqual([]);
    expect(await diff({ f: file(10, 1) }, { f: file(11, 1) }, '/', key)).toEqual(['content /f']);
  });
});
