import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { PathPattern } from '../../../src/core/policy/path-pattern.ts';
import type { Overwrite } from '../../../src/ports/target.ts';
import {
  type RestoreEvent,
  type RestoreSummary,
  restoreSnapshot,
} from '../../../src/services/restore.ts';
import { splitPath, treeDepthMax } from '../../../src/services/snapshot-reader.ts';
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
import { MemoryTarget } from '../../support/memory-target.ts';
import { expectSame } from '../../support/same-bytes.ts';
import { entryWith } from '../../support/tree-entries.ts';

type Order = {
  path?: string;
  include?: string[];
  exclude?: string[];
  overwrite?: Overwrite;
  dryRun?: boolean;
  signal?: AbortSignal;
};

async function events(
  snapshot: SampleSnapshot,
  target: MemoryTarget,
  order: Order = {},
): Promise<AsyncGenerator<RestoreEvent>> {
  const packs = snapshot.packReader();
  const reader = await snapshot.open(packs);
  return restoreSnapshot({
    reader,
    target,
    order: {
      snapshot: 'snap',
      path: splitPath(utf8(order.path ?? '/')),
      include: (order.include ?? []).map((text) => PathPattern.parse(text)),
      exclude: (order.exclude ?? []).map((text) => PathPattern.parse(text)),
      overwrite: order.overwrite ?? 'if-changed',
      dryRun: order.dryRun ?? false,
    },
    clock: snapshot.clock,
    stats: () => packs.stats,
    signal: order.signal ?? new AbortController().signal,
  });
}

type Outcome = {
  summary: RestoreSummary;
  problems: (RestoreEvent & { type: 'problem' })[];
  notices: string[];
  statuses: (RestoreEvent & { type: 'status' })[];
};

async function restore(
  snapshot: SampleSnapshot,
  target: MemoryTarget,
  order: Order = {},
): Promise<Outcome> {
  const outcome: Omit<Outcome, 'summary'> = { problems: [], notices: [], statuses: [] };
  let summary: RestoreSummary | undefined;
  for await (const event of await events(snapshot, target, order)) {
    if (event.type === 'summary') summary = event.summary;
    else if (event.type === 'problem') outcome.problems.push(event);
    else if (event.type === 'notice') outcome.notices.push(event.message);
    else outcome.statuses.push(event);
  }
  expect(target.openDirectories, 'directories left open').toBe(1);
  return { ...outcome, summary: summary as RestoreSummary };
}

async function build(tree: SampleTree, clock = new ManualClock()): Promise<SampleSnapshot> {
  return buildSnapshot(tree, { clock });
}

const home: SampleTree = {
  etc: directory({ hosts: file(120, 1) }),
  home: directory({
    a: directory({
      docs: directory({ 'one.txt': file(3000, 2), 'two.bin': file(260_000, 3) }),
      'notes.txt': file(10, 4),
      empty: directory({}),
    }),
  }),
};

describe('restoreSnapshot', () => {
  test('restores every file, directory and special file as it was', async () => {
    const snapshot = await build({
      ...home,
      link: { kind: 'raw', entry: { mode: 0o120777, target: utf8('etc/hosts') } },
      none: file(0),
    });
    const target = new MemoryTarget();
    const { summary, problems } = await restore(snapshot, target);
    expect(problems).toEqual([]);
    expect(target.paths()).toEqual([
      ...['/etc/', '/etc/hosts', '/home/', '/home/a/', '/home/a/docs/', '/home/a/docs/one.txt'],
      ...['/home/a/docs/two.bin', '/home/a/empty/', '/home/a/notes.txt', '/link', '/none'],
    ]);
    expectSame(target.file('/home/a/docs/two.bin')?.content, noise(260_000, 3));
    expectSame(target.file('/etc/hosts')?.content, noise(120, 1));
    expect(target.file('/link')?.entry.target).toEqual(utf8('etc/hosts'));
    expect(summary).toMatchObject({
      snapshot: 'snap',
      ...{ files: 5, directories: 5, others: 1, filesLost: 0, problems: 0, filesSkipped: 0 },
      bytes: 120 + 3000 + 260_000 + 10,
      packsDecoded: 0,
    });
    expect(summary.bytesFetched).toBeGreaterThan(summary.bytes);
  });

  test('directories are finished after everything in them, deepest first', async () => {
    const target = new MemoryTarget();
    await restore(await build(home), target);
    expect(target.finished).toEqual(['etc', 'docs', 'empty', 'a', 'home']);
  });

  test('many small files are under way at once, and their directories end after them', async () => {
    const few = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, file(90, i)]));
    const tree = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`d${1000 + i}`, directory({ ...few })]),
    );
    const target = new MemoryTarget();
    target.isSlow = true;
    const { summary, problems } = await restore(await build(tree), target);
    expect(problems).toEqual([]);
    expect(summary).toMatchObject({ files: 8000, directories: 200, bytes: 90 * 8000 });
    expect(target.finished).toEqual(Object.keys(tree));
    expect(target.mostUnderWay).toBeGreaterThan(100);
    // As many as may be behind, one that is open, and the root.
    expect(target.mostOpenDirectories).toBeLessThan(135);
    expectSame(target.file('/d1199/f39')?.content, noise(90, 39));
  });

  test('what the target refuses later is a problem of its file; a disk that is full later ends all', async () => {
    const target = new MemoryTarget();
    target.isSlow = true;
    target.refusals.set('hosts', new HoldfastError('io-error', 'cannot write'));
    const { problems, summary } = await restore(await build(home), target);
    expect(problems).toMatchObject([{ path: '/etc/hosts', reason: 'cannot write' }]);
    expect(summary).toMatchObject({ files: 3, problems: 1 });
    const full = new MemoryTarget();
    full.isSlow = true;
    full.room = 100;
    await expect(restore(await build(home), full)).rejects.toMatchObject({ code: 'disk-full' });
    expect(full.openDirectories).toBe(1);
    expect(full.underWay).toBe(0);
  });

  test('a link to a file waits until the file is there', async () => {
    const twin = { kind: 'raw', entry: { size: 0, linkGroup: 7n } } as const;
    const target = new MemoryTarget();
    target.isSlow = true;
    const { problems } = await restore(
      await build({ a: directory({ first: twin }), second: twin }),
      target,
    );
    expect(problems).toEqual([]);
    expect(target.file('/second')).toBeDefined();
    expect(target.file('/second')).toBe(target.file('/a/first'));
  });

  test('a directory of the snapshot is restored as its content, a file as itself', async () => {
    const snapshot = await build(home);
    const target = new MemoryTarget();
    await restore(snapshot, target, { path: '/home/a/docs' });
    expect(target.paths()).toEqual(['/one.txt', '/two.bin']);
    const other = new MemoryTarget();
    await restore(snapshot, other, { path: 'home/a/notes.txt' });
    expect(other.paths()).toEqual(['/notes.txt']);
    await expect(restore(snapshot, new MemoryTarget(), { path: '/home/b' })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('includes bring what matches and all below it, without directories that hold nothing of it', async () => {
    const snapshot = await build(home);
    const target = new MemoryTarget();
    const { summary } = await restore(snapshot, target, { include: ['*.txt', '/home/a/empty'] });
    expect(target.paths()).toEqual([
      ...['/home/', '/home/a/', '/home/a/docs/', '/home/a/docs/one.txt'],
      ...['/home/a/empty/', '/home/a/notes.txt'],
    ]);
    expect(summary).toMatchObject({ files: 2, directories: 4 });
    const docs = new MemoryTarget();
    await restore(snapshot, docs, { path: '/home', include: ['/a/docs'] });
    expect(docs.paths()).toEqual(['/a/', '/a/docs/', '/a/docs/one.txt', '/a/docs/two.bin']);
  });

  test('excludes win over includes and prune directories', async () => {
    const target = new MemoryTarget();
    const order = { include: ['/home'], exclude: ['docs/', '*.log'] };
    await restore(await build(home), target, order);
    expect(target.paths()).toEqual(['/home/', '/home/a/', '/home/a/empty/', '/home/a/notes.txt']);
  });

  test('hard links become links again, across directories that are finished already', async () => {
    const linked = { entry: { linkGroup: 77n } };
    const target = new MemoryTarget();
    const { summary, problems } = await restore(
      await build({
        a: directory({ deep: directory({ first: file(500, 5, linked) }) }),
        b: directory({ second: file(500, 5, linked), third: file(500, 5, linked) }),
        z: file(500, 5, linked),
      }),
      target,
    );
    expect(problems).toEqual([]);
    const first = target.file('/a/deep/first');
    expect(first?.content).toEqual(noise(500, 5));
    for (const path of ['/b/second', '/b/third', '/z']) expect(target.file(path)).toBe(first);
    // Opened again for its links, a directory is finished again.
    expect(target.finished.filter((name) => name === 'deep')).toHaveLength(2);
    expect(summary).toMatchObject({ files: 4, directories: 3 });
  });

  test('a link whose first name was not wanted is written as the file', async () => {
    const linked = { entry: { linkGroup: 77n } };
    const snapshot = await build({
      a: file(500, 5, linked),
      b: file(500, 5, linked),
      c: file(500, 5, linked),
    });
    const target = new MemoryTarget();
    await restore(snapshot, target, { exclude: ['a'] });
    expectSame(target.file('/b')?.content, noise(500, 5));
    expect(target.file('/c')).toBe(target.file('/b'));
  });

  test('holes stay holes, and content lists are followed', async () => {
    const [head, tail] = [noise(120_000, 6), noise(90_000, 7)];
    const target = new MemoryTarget();
    const { problems } = await restore(
      await build({
        sparse: { kind: 'file', content: [1_000_000, head, 300_000, tail, 5] },
        listed: { kind: 'file', content: noise(600_000, 8), hasList: true },
        'listed-holes': { kind: 'file', content: [head, 70_000, tail], hasList: true },
      }),
      target,
    );
    expect(problems).toEqual([]);
    const zeros = (count: number): Uint8Array => new Uint8Array(count);
    expectSame(
      target.file('/sparse')?.content,
      concat([zeros(1_000_000), head, zeros(300_000), tail, zeros(5)]),
    );
    expectSame(target.file('/listed')?.content, noise(600_000, 8));
    expectSame(target.file('/listed-holes')?.content, concat([head, zeros(70_000), tail]));
    expect(target.pieces).toBe(3);
  });

  test('a large file is written piece by piece', async () => {
    const target = new MemoryTarget();
    await restore(await build({ big: file(3_000_000, 9) }), target);
    expectSame(target.file('/big')?.content, noise(3_000_000, 9));
    expect(target.pieces).toBe(1);
  });

  test('any two lost sites of 3+2 change nothing but what had to be decoded', async () => {
    const snapshot = await build(home);
    snapshot.network.faults.set(peerAt(0), 'unreachable');
    snapshot.network.faults.set(peerAt(2), 'flipped');
    const target = new MemoryTarget();
    const { summary, problems } = await restore(snapshot, target);
    expect(problems).toEqual([]);
    expectSame(target.file('/home/a/docs/two.bin')?.content, noise(260_000, 3));
    expect(summary.packsDecoded).toBe(1);
    expect(summary.sites).toEqual(['site-1', 'site-3', 'site-4']);
  });

  test('files of a lost pack are reported as lost, and all others are restored', async () => {
    const snapshot = await build({
      a: directory({ good: file(1000, 1), lost: file(2000, 2, { pack: 1 }) }),
      b: directory({ gone: file(2_500_000, 3, { pack: 1 }), kept: file(900_000, 4) }),
    });
    const lost = snapshot.dataPacks[1] as never;
    for (const i of [0, 1, 2]) snapshot.network.take(peerAt(i), lost, i);
    const target = new MemoryTarget();
    const { summary, problems } = await restore(snapshot, target);
    expect(target.paths()).toEqual(['/a/', '/a/good', '/b/', '/b/kept']);
    expectSame(target.file('/b/kept')?.content, noise(900_000, 4));
    expect(problems.map(({ path, isLost }) => [path, isLost])).toEqual([
      ['/a/lost', true],
      ['/b/gone', true],
    ]);
    expect(problems[0]?.reason).toContain(String(lost).slice(0, 8));
    expect(summary).toMatchObject({ files: 2, filesLost: 2, problems: 0 });
    expect(target.abandoned).toBe(1);
  });

  test('a directory whose entries are lost is reported, and the others go on', async () => {
    const snapshot = await build({
      bad: { kind: 'directory', children: { x: file(10) }, pack: 1 },
      good: directory({ y: file(20) }),
    });
    for (const i of [0, 1, 2]) snapshot.network.take(peerAt(i), snapshot.dataPacks[1] as never, i);
    const target = new MemoryTarget();
    const { problems } = await restore(snapshot, target);
    expect(target.paths()).toEqual(['/bad/', '/good/', '/good/y']);
    expect(problems.map(({ path, isLost }) => [path, isLost])).toEqual([['/bad', true]]);
  });

  test('what the target refuses is a problem of that entry alone', async () => {
    const target = new MemoryTarget();
    target.refusals.set('hosts', new HoldfastError('io-error', 'cannot write hosts'));
    target.refusals.set('docs', new HoldfastError('unsafe-target', 'docs is a link'));
    const { summary, problems } = await restore(await build(home), target);
    expect(problems.map(({ path, isLost }) => [path, isLost])).toEqual([
      ['/etc/hosts', false],
      ['/home/a/docs', false],
    ]);
    expect(target.paths()).toEqual([
      '/etc/',
      '/home/',
      '/home/a/',
      '/home/a/empty/',
      '/home/a/notes.txt',
    ]);
    expect(summary).toMatchObject({ problems: 2, filesLost: 0, files: 1 });
  });

  test.each([1000, 100_000])('a full disk ends the restore (%i bytes of room)', async (room) => {
    const target = new MemoryTarget();
    target.room = room;
    const snapshot = await build({
      a: directory({ small: file(5000, 1), big: file(2_000_000, 2) }),
    });
    await expect(restore(snapshot, target)).rejects.toMatchObject({ code: 'disk-full' });
    expect(target.openDirectories).toBe(1);
  });

  test('files that stand there already are left as the overwrite rule says', async () => {
    const snapshot = await build(home);
    const target = new MemoryTarget();
    await restore(snapshot, target);
    const before = target.file('/etc/hosts');
    expect((await restore(snapshot, target)).summary).toMatchObject({ files: 0, filesSkipped: 4 });
    expect(target.file('/etc/hosts')).toBe(before);
    const always = await restore(snapshot, target, { overwrite: 'always' });
    expect(always.summary).toMatchObject({ files: 4, filesSkipped: 0 });
    const changed = await build({ etc: directory({ hosts: file(130, 1) }) });
    const never = await restore(changed, target, { overwrite: 'never' });
    expect(never.summary).toMatchObject({ files: 0, filesSkipped: 1 });
    expect(target.file('/etc/hosts')?.content).toHaveLength(120);
  });

  test('a dry run lists what would be restored, writes nothing and fetches no content', async () => {
    const snapshot = await build(home);
    const target = new MemoryTarget();
    const { notices, summary } = await restore(snapshot, target, {
      dryRun: true,
      include: ['docs'],
    });
    expect(notices).toEqual([
      'would restore /home/a/docs/one.txt',
      'would restore /home/a/docs/two.bin',
    ]);
    expect(target.paths()).toEqual([]);
    expect(summary).toMatchObject({ files: 2, directories: 1, bytes: 263_000 });
    const packs = snapshot.network.pulls.map(({ request }) =>
      Buffer.from(request.pack).toString('hex'),
    );
    expect(packs).not.toContain(snapshot.dataPacks[0]);
  });

  test('status events come at most ten times a second and also inside a long file', async () => {
    const clock = new ManualClock();
    const snapshot = await build({ big: file(2_000_000, 2) }, clock);
    for (const peer of snapshot.peers) snapshot.network.delaysMs.set(peer, 600);
    const target = new MemoryTarget();
    let isDone = false;
    const restoring = restore(snapshot, target).finally(() => {
      isDone = true;
    });
    while (!isDone) await clock.advance(10);
    const { statuses, summary } = await restoring;
    expect(statuses.length).toBeGreaterThan(2);
    expect(statuses.length).toBeLessThanOrEqual(summary.durationMs / 100);
    expect(statuses.some(({ current }) => current === '/big')).toBe(true);
    const done = statuses.map(({ bytesDone }) => bytesDone);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });

  test('a cancelled restore ends with the signal’s reason and leaves nothing open', async () => {
    const snapshot = await build(home);
    const target = new MemoryTarget();
    const controller = new AbortController();
    const running = await events(snapshot, target, { signal: controller.signal });
    const data = snapshot.dataPacks[0] as never;
    for (let i = 0; i < 5; i++) snapshot.network.take(peerAt(i), data, i);
    for (const peer of snapshot.peers) snapshot.network.faults.set(peer, 'stalled');
    const next = running.next();
    controller.abort(new HoldfastError('interrupted', 'stopped by the user'));
    await expect(next).rejects.toMatchObject({ code: 'interrupted' });
    expect(target.openDirectories).toBe(1);
  });

  test('a reader that stops listening ends the restore', async () => {
    const snapshot = await build(home);
    for (const i of [0, 1, 2]) snapshot.network.take(peerAt(i), snapshot.dataPacks[0] as never, i);
    const target = new MemoryTarget();
    for await (const event of await events(snapshot, target)) {
      expect(event.type).toBe('problem');
      break;
    }
    expect(target.openDirectories).toBe(1);
  });
});

describe('a hostile snapshot', () => {
  test.each(['..', '.', '', 'a/b', 'a\0b'])(
    'the name %j is refused, the rest restored',
    async (name) => {
      const snapshot = new SampleSnapshot({ clock: new ManualClock() });
      const evil = snapshot.storeEntries([entryWith({ name: utf8(name), size: 0 })]);
      const tree: SampleTree = {
        evil: { kind: 'raw', entry: { mode: 0o040755, tree: evil } },
        good: file(5),
      };
      await snapshot.finish(snapshot.storeTree(tree));
      const target = new MemoryTarget();
      const { problems } = await restore(snapshot, target);
      expect(target.paths()).toEqual(['/evil/', '/good']);
      expect(problems).toMatchObject([{ path: '/evil', isLost: true }]);
    },
  );

  test('a tree that nests deeper than any file system is cut off with a report', async () => {
    const snapshot = new SampleSnapshot({ clock: new ManualClock(), frameChunks: 4000 });
    let tree = snapshot.storeTree({});
    for (let depth = 0; depth <= treeDepthMax; depth++) {
      tree = snapshot.storeEntries([entryWith({ name: utf8('d'), mode: 0o040755, tree })]);
    }
    await snapshot.finish(
      snapshot.storeTree({ a: file(5), deep: { kind: 'raw', entry: { mode: 0o040755, tree } } }),
    );
    const target = new MemoryTarget();
    const { problems } = await restore(snapshot, target);
    expect(target.file('/a')).toBeDefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ isLost: true, reason: expect.stringContaining('nested') });
    expect(target.mostOpenDirectories).toBeLessThanOrEqual(treeDepthMax + 1);
  });

  test('an entry of no known type and content of the wrong size are refused', async () => {
    const snapshot = new SampleSnapshot({ clock: new ManualClock() });
    const bytes = noise(100, 1);
    const content = [{ id: snapshot.store(bytes, 0), length: 100 }];
    const odd = snapshot.storeEntries([entryWith({ name: utf8('x'), mode: 0o170644 })]);
    await snapshot.finish(
      snapshot.storeTree({
        longer: { kind: 'raw', entry: { size: 101, content } },
        odd: { kind: 'raw', entry: { mode: 0o040755, tree: odd } },
        right: { kind: 'raw', entry: { size: 100, content } },
        shorter: { kind: 'raw', entry: { size: 99, content } },
        unequal: {
          kind: 'raw',
          entry: { size: 90, content: [{ ...content[0], length: 90 } as never] },
        },
      }),
    );
    const target = new MemoryTarget();
    const { problems } = await restore(snapshot, target);
    expect(target.paths()).toEqual(['/odd/', '/right']);
    expect(problems.map(({ path, isLost }) => [path, isLost])).toEqual([
      ['/longer', true],
      ['/odd', true],
      ['/shorter', true],
      ['/unequal', true],
    ]);
  });

  test('an index that gives other bytes for a chunk id is found out', async () => {
    const snapshot = new SampleSnapshot({ clock: new ManualClock() });
    const tree = snapshot.storeTree({ a: file(100, 1), b: file(100, 2) });
    await snapshot.finish(tree);
    const reader = await snapshot.open();
    const [a, b] = [await reader.resolve([utf8('a')]), await reader.resolve([utf8('b')])];
    const idOfA = a.content[0]?.id as Uint8Array;
    const idOfB = b.content[0]?.id as Uint8Array;
    const find = reader.find.bind(reader);
    expect(find(idOfA)).toBeDefined();
    const lying = new SampleSnapshot({ clock: new ManualClock() });
    // The same tree, but the id of b is stored with the bytes of a.
    lying.storeAs(idOfB, noise(100, 1), 0);
    await lying.finish(
      lying.storeTree({ b: { kind: 'raw', entry: { size: 100, content: b.content } } }),
    );
    const target = new MemoryTarget();
    const { problems } = await restore(lying, target);
    expect(target.paths()).toEqual([]);
    expect(problems).toMatchObject([
      { path: '/b', isLost: true, reason: expect.stringContaining('id') },
    ]);
  });
});
