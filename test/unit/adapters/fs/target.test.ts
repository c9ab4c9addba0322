import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { listXattrs, setXattr } from '../../../../src/adapters/fs/native.ts';
import { openTarget } from '../../../../src/adapters/fs/target.ts';
import { checkTarget } from '../../../../src/adapters/fs/target-check.ts';
import { readXattrs } from '../../../../src/adapters/fs/xattrs.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { KiB, MiB } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { TreeEntry } from '../../../../src/core/format/tree.ts';
import type { Overwrite, RestoreTarget, TargetDirectory } from '../../../../src/ports/target.ts';
import { byteStream } from '../../../support/byte-stream.ts';
import { aclBytes } from '../../../support/posix-acl.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { entryWith } from '../../../support/tree-entries.ts';

const mtimeNs = 1_795_326_479_703_025_523n;

function target(path: string, allowNonEmpty = true): Promise<RestoreTarget> {
  return openTarget(utf8(path), { allowNonEmpty });
}

function file(name: string, given: Partial<TreeEntry> = {}): TreeEntry {
  return entryWith({ name: utf8(name), mtimeNs, ...given });
}

function directory(name: string, given: Partial<TreeEntry> = {}): TreeEntry {
  return file(name, { mode: 0o040755, ...given });
}

function needsRoot(context: TestContext): void {
  if (process.geteuid?.() !== 0) context.skip('needs root');
}

function errorOf(work: () => unknown): HoldfastError {
  try {
    work();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a target is refused with the reason and what to do', () => {
  test.each([
    ['the root of the system', '/', 'root of this system'],
    ['the root by another name', '/etc/..', 'root of this system'],
    ['a relative path', 'tmp/x', 'absolute path'],
    ['a device', '/dev/null', 'not a directory'],
  ])('when it is %s', (_, path, reason) => {
    const error = errorOf(() => checkTarget(utf8(path), { allowNonEmpty: true }));
    expect(error.code).toBe('unsafe-target');
    expect(error.message).toContain(reason);
    expect(error.next).toBeDefined();
  });

  test('when it is a symbolic link, also with a slash after it', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'real'));
    symlinkSync('real', join(scratch.path, 'link'));
    for (const path of ['link', 'link/', 'link//']) {
      const work = () => checkTarget(utf8(`${scratch.path}/${path}`), { allowNonEmpty: true });
      expect(errorOf(work).message).toContain('symbolic link');
      await expect(target(`${scratch.path}/${path}`)).rejects.toMatchObject({
        code: 'unsafe-target',
      });
    }
  });

  test('when it is not empty, unless that is allowed', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'lost+found'));
    checkTarget(utf8(scratch.path), { allowNonEmpty: false });
    writeFileSync(join(scratch.path, 'file'), '');
    const error = errorOf(() => checkTarget(utf8(scratch.path), { allowNonEmpty: false }));
    expect(error.message).toContain('not empty');
    checkTarget(utf8(scratch.path), { allowNonEmpty: true });
  });

  test('when a PostgreSQL server uses it, whatever is allowed', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'postmaster.pid'), '1');
    const error = errorOf(() => checkTarget(utf8(scratch.path), { allowNonEmpty: true }));
    expect(error.message).toContain('PostgreSQL');
  });
});

test('a missing target is created for its owner alone, with those above it', async () => {
  await using scratch = scratchDirectory();
  await using _ = await target(`${scratch.path}/a/b/`, false);
  expect(statSync(join(scratch.path, 'a/b')).mode & 0o7777).toBe(0o700);
});

describe('files', () => {
  test('get content, mode and time exactly, and no partial file stays', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const entry = file('f', { mode: 0o100444, size: 7 });
    expect(await restore.root.writeFile(entry, utf8('content'))).toEqual([]);
    const stats = lstatSync(join(scratch.path, 'f'), { bigint: true });
    expect(Number(stats.mode)).toBe(0o100444);
    expect(stats.mtimeNs).toBe(mtimeNs);
    expect(stats.atimeNs).toBe(mtimeNs);
    expect(readFileSync(join(scratch.path, 'f'), 'utf8')).toBe('content');
    expect(readdirSync(scratch.path)).toEqual(['f']);
  });

  test('keep setuid bits, capabilities and ACLs through the change of owner', async (context) => {
    needsRoot(context);
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const acl = aclBytes([
      { tag: 'owner', permissions: 7 },
      { tag: 'user', permissions: 7, id: 1234 },
      { tag: 'ownerGroup', permissions: 7 },
      { tag: 'mask', permissions: 5 },
      { tag: 'other', permissions: 0 },
    ]);
    // cap_net_bind_service, permitted and effective, revision 2.
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const xattrs = [
      { name: utf8('security.capability'), value: capability },
      { name: utf8('system.posix_acl_access'), value: acl },
      { name: utf8('trusted.t'), value: utf8('1') },
      { name: utf8('user.u'), value: new Uint8Array(1000).fill(7) },
    ];
    const entry = file('f', { mode: 0o106750, uid: 1001, gid: 1002, size: 1, xattrs });
    expect(await restore.root.writeFile(entry, utf8('x'))).toEqual([]);
    const stats = lstatSync(join(scratch.path, 'f'));
    expect([stats.mode, stats.uid, stats.gid]).toEqual([0o106750, 1001, 1002]);
    const found = readXattrs(Buffer.from(join(scratch.path, 'f')));
    expect(found.map(({ value }) => Buffer.from(value))).toEqual(
      xattrs.map(({ value }) => Buffer.from(value)),
    );
  });

  test('do not inherit ACLs that they did not have', async (context) => {
    await using scratch = scratchDirectory();
    const inherited = aclBytes([
      { tag: 'owner', permissions: 7 },
      { tag: 'user', permissions: 7, id: 1234 },
      { tag: 'ownerGroup', permissions: 7 },
      { tag: 'mask', permissions: 7 },
      { tag: 'other', permissions: 7 },
    ]);
    try {
      setXattr(Buffer.from(scratch.path), utf8('system.posix_acl_default'), inherited);
    } catch (error) {
      context.skip(`no ACLs here: ${String(error)}`);
    }
    await using restore = await target(scratch.path);
    await restore.root.writeFile(file('f', { mode: 0o100640 }), new Uint8Array());
    const entry = directory('d', { mode: 0o040750 });
    await using below = await restore.root.enter(entry);
    expect(below.finish(entry)).toEqual([]);
    for (const [name, mode] of [
      ['f', 0o100640],
      ['d', 0o040750],
    ] as const) {
      expect(lstatSync(join(scratch.path, name)).mode).toBe(mode);
      expect(listXattrs(Buffer.from(join(scratch.path, name)))).toEqual([]);
    }
  });

  test('replace a link of the same name and leave alone what it led to', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'victim'), 'untouched');
    symlinkSync('victim', join(scratch.path, 'f'));
    await using restore = await target(scratch.path);
    await restore.root.writeFile(file('f', { size: 3 }), utf8('new'));
    expect(lstatSync(join(scratch.path, 'f')).isFile()).toBe(true);
    expect(readFileSync(join(scratch.path, 'victim'), 'utf8')).toBe('untouched');
  });

  test('do not replace a directory', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'f/inner'), { recursive: true });
    await using restore = await target(scratch.path);
    const writing = restore.root.writeFile(file('f'), new Uint8Array());
    await expect(writing).rejects.toMatchObject({ code: 'unsafe-target' });
    expect(readdirSync(scratch.path)).toEqual(['f']);
  });

  test('in great number are written by threads, each as it should be, and one failure is its own', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    mkdirSync(join(scratch.path, 'd7/in-the-way'), { recursive: true });
    const outcomes: Promise<unknown>[] = [];
    for (let d = 0; d < 20; d++) {
      await using below = await restore.root.enter(directory(`d${d}`));
      for (let f = 0; f < 50; f++) {
        const content = utf8(`${d} of ${f}`);
        const entry = file(`f${f}`, {
          size: content.length,
          mode: f % 2 === 0 ? 0o100600 : 0o100755,
        });
        outcomes.push(Promise.resolve(below.writeFile(entry, content)));
      }
      if (d === 7)
        outcomes.push(Promise.resolve(below.writeFile(file('in-the-way'), new Uint8Array())));
    }
    const failed = (await Promise.allSettled(outcomes)).filter(
      ({ status }) => status === 'rejected',
    );
    expect(failed).toMatchObject([{ reason: { code: 'unsafe-target' } }]);
    for (const problems of await Promise.all(outcomes.filter((_, i) => i !== 8 * 50))) {
      expect(problems).toEqual([]);
    }
    for (let d = 0; d < 20; d++) {
      for (let f = 0; f < 50; f++) {
        const path = join(scratch.path, `d${d}/f${f}`);
        expect(readFileSync(path, 'utf8')).toBe(`${d} of ${f}`);
        const stats = lstatSync(path, { bigint: true });
        expect([Number(stats.mode), stats.mtimeNs]).toEqual([
          f % 2 === 0 ? 0o100600 : 0o100755,
          mtimeNs,
        ]);
      }
    }
    expect(readdirSync(join(scratch.path, 'd7'))).toHaveLength(51);
  });

  test('are on disk when their target has closed', async () => {
    await using scratch = scratchDirectory();
    const writing: Promise<unknown>[] = [];
    {
      await using restore = await target(scratch.path);
      for (let f = 0; f < 1000; f++) {
        writing.push(Promise.resolve(restore.root.writeFile(file(`f${f}`), new Uint8Array())));
      }
    }
    expect(readdirSync(scratch.path)).toHaveLength(1000);
    await Promise.all(writing);
  });

  test('of another length than promised are not written', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const work = () => restore.root.writeFile(file('f', { size: 4 }), utf8('longer'));
    expect(errorOf(work).code).toBe('corrupt');
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('that are large take pieces in any order, keep holes and appear only at the end', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const size = 40 * MiB;
    const open = restore.root.createFile(file('big', { size }));
    const piece = new Uint8Array(100 * KiB).fill(3);
    await Promise.all([open.write(size - piece.length, piece), open.write(MiB, piece)]);
    expect(existsSync(join(scratch.path, 'big'))).toBe(false);
    expect(await open.finish()).toEqual([]);
    const content = readFileSync(join(scratch.path, 'big'));
    const expected = Buffer.alloc(size);
    expected.set(piece, MiB);
    expected.set(piece, size - piece.length);
    expect(content.equals(expected)).toBe(true);
    expect(lstatSync(join(scratch.path, 'big')).blocks * 512).toBeLessThan(MiB);
    expect(lstatSync(join(scratch.path, 'big'), { bigint: true }).mtimeNs).toBe(mtimeNs);
  });

  test('that come in many pieces at once are whole, whatever follows what', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const content = byteStream('content', 3 * MiB);
    const open = restore.root.createFile(file('big', { size: content.length }));
    // More pieces than the system takes in one call, the last first, some empty.
    const cuts = Array.from({ length: 1500 }, (_, i) => i * 2000);
    const pieces = cuts.map((at) => [at, content.subarray(at, at + 2000)] as const);
    pieces.push([3_000_000, content.subarray(3_000_000)], [5, new Uint8Array(0)]);
    await Promise.all(pieces.reverse().map(([at, bytes]) => open.write(at, bytes)));
    await open.finish();
    expect(readFileSync(join(scratch.path, 'big')).equals(content)).toBe(true);
  });

  test('that are abandoned, or given more than their size, leave nothing', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const open = restore.root.createFile(file('big', { size: 10 }));
    await expect(open.write(8, utf8('abc'))).rejects.toMatchObject({ code: 'corrupt' });
    const writing = open.write(0, utf8('0123456789'));
    await open.abandon();
    await writing;
    await open.abandon();
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('can be finished after their directory was closed', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const below = await restore.root.enter(directory('d'));
    const open = below.createFile(file('f', { size: 2 }));
    await below[Symbol.asyncDispose]();
    await open.write(0, utf8('ok'));
    await open.finish();
    expect(readFileSync(join(scratch.path, 'd/f'), 'utf8')).toBe('ok');
  });
});

describe('names', () => {
  test.each(['', '.', '..', 'a/b', '../up', '/etc/passwd', 'a\0b'])(
    'that would leave their directory are refused: %j',
    async (name) => {
      await using scratch = scratchDirectory();
      await using restore = await target(join(scratch.path, 'root'));
      const { root } = restore;
      await root.writeFile(file('good'), new Uint8Array());
      const attempts = [
        () => root.check(file(name), 'always'),
        () => root.writeFile(file(name), new Uint8Array()),
        () => root.createFile(file(name)),
        () => root.writeSpecial(file(name, { mode: 0o120777, target: utf8('x') })),
        () => root.writeLink(file(name), { directory: root, name: utf8('good') }),
        () => root.writeLink(file('link'), { directory: root, name: utf8(name) }),
      ];
      for (const attempt of attempts) expect(errorOf(attempt).code).toBe('unsafe-target');
      await expect(root.enter(directory(name))).rejects.toMatchObject({ code: 'unsafe-target' });
      expect(readdirSync(join(scratch.path, 'root'))).toEqual(['good']);
      expect(readdirSync(scratch.path)).toEqual(['root']);
    },
  );
});

describe('directories', () => {
  test('are closed to others until finished, then get mode and time', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const entry = directory('d', { mode: 0o043555 });
    await using below = await restore.root.enter(entry);
    expect(lstatSync(join(scratch.path, 'd')).mode & 0o777).toBe(0o700);
    await below.writeFile(file('f'), new Uint8Array());
    expect(below.finish(entry)).toEqual([]);
    const stats = lstatSync(join(scratch.path, 'd'), { bigint: true });
    expect(Number(stats.mode)).toBe(0o043555);
    expect(stats.mtimeNs).toBe(mtimeNs);
  });

  test('are not entered where a link or file has taken the name', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'outside'));
    mkdirSync(join(scratch.path, 'root'));
    symlinkSync('../outside', join(scratch.path, 'root/d'));
    writeFileSync(join(scratch.path, 'root/f'), '');
    await using restore = await target(join(scratch.path, 'root'));
    for (const name of ['d', 'f']) {
      await expect(restore.root.enter(directory(name))).rejects.toMatchObject({
        code: 'unsafe-target',
      });
    }
    expect(readdirSync(join(scratch.path, 'outside'))).toEqual([]);
  });

  test('stay the same directory when a link is swapped in for them', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'outside'));
    await using restore = await target(join(scratch.path, 'root'));
    await using below = await restore.root.enter(directory('d'));
    execFileSync('mv', [join(scratch.path, 'root/d'), join(scratch.path, 'root/moved')]);
    symlinkSync('../outside', join(scratch.path, 'root/d'));
    await below.writeFile(file('f', { size: 1 }), utf8('x'));
    expect(readdirSync(join(scratch.path, 'outside'))).toEqual([]);
    expect(readdirSync(join(scratch.path, 'root/moved'))).toEqual(['f']);
  });

  test('entered again lose the partial files of a killed restore, and keep their own', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'd'));
    const killed = '.holdfast-0123456789abcdef-2a.partial';
    for (const place of ['', 'd/']) {
      writeFileSync(join(scratch.path, place + killed), 'half');
      writeFileSync(join(scratch.path, `${place}.holdfast-notes.partial`), 'not ours');
    }
    await using restore = await target(scratch.path);
    expect(readdirSync(scratch.path)).toEqual(['.holdfast-notes.partial', 'd']);
    await using below = await restore.root.enter(directory('d'));
    expect(readdirSync(join(scratch.path, 'd'))).toEqual(['.holdfast-notes.partial']);
    const open = below.createFile(file('f', { size: 1 }));
    await using again = await restore.root.enter(directory('d'));
    await open.write(0, utf8('x'));
    await open.finish();
    expect(again.check(file('f', { size: 1 }), 'if-changed')).toBe('same');
  });

  test('that may not be written to are opened for their owner', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'd'));
    chmodSync(join(scratch.path, 'd'), 0o555);
    await using restore = await target(scratch.path);
    await using _ = await restore.root.enter(directory('d'));
    expect(lstatSync(join(scratch.path, 'd')).mode & 0o7777).toBe(0o755);
  });
});

describe('special files', () => {
  test('keep their link target, whatever it is, with the times of the link itself', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const odd = Uint8Array.of(0x2e, 0x2e, 0x2f, 0xff, 0x0a);
    const entry = file('l', { mode: 0o120777, target: odd });
    expect(restore.root.writeSpecial(entry)).toEqual([]);
    expect(readlinkSync(join(scratch.path, 'l'), { encoding: 'buffer' })).toEqual(Buffer.from(odd));
    expect(lstatSync(join(scratch.path, 'l'), { bigint: true }).mtimeNs).toBe(mtimeNs);
  });

  test('take the place of what had their name', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    for (const mode of [0o120777, 0o010640, 0o140600, 0o120777]) {
      const entry = file('s', { mode, target: utf8('nowhere') });
      expect(restore.root.writeSpecial(entry)).toEqual([]);
      expect(lstatSync(join(scratch.path, 's')).mode).toBe(mode);
      expect(readdirSync(scratch.path)).toEqual(['s']);
    }
  });

  test('are devices again, where the system lets us make them', async (context) => {
    needsRoot(context);
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const problems = [
      ...restore.root.writeSpecial(file('c', { mode: 0o020666, rdev: 0x103n })),
      ...restore.root.writeSpecial(file('b', { mode: 0o060640, rdev: 0x12345678n })),
    ];
    if (problems.length > 0) context.skip(`no devices here: ${problems[0]?.what}`);
    const stats = lstatSync(join(scratch.path, 'c'));
    expect([stats.mode, stats.rdev]).toEqual([0o020666, 0x103]);
    expect(lstatSync(join(scratch.path, 'b')).rdev).toBe(0x12345678);
  });

  test('that lead nowhere by their form are corrupt', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    for (const link of [undefined, new Uint8Array(), utf8('a\0b')]) {
      const work = () => restore.root.writeSpecial(file('l', { mode: 0o120777, target: link }));
      expect(errorOf(work).code).toBe('corrupt');
    }
    expect(readdirSync(scratch.path)).toEqual([]);
  });
});

describe('hard links', () => {
  test('join the file restored before, in place of whatever had the name', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    await using below = await restore.root.enter(directory('d'));
    await below.writeFile(file('first', { size: 1 }), utf8('x'));
    writeFileSync(join(scratch.path, 'second'), 'other');
    const original = { directory: below, name: utf8('first') };
    for (let repeat = 0; repeat < 2; repeat++) {
      expect(restore.root.writeLink(file('second', { size: 1 }), original)).toEqual([]);
      const inodes = ['d/first', 'second'].map((name) => lstatSync(join(scratch.path, name)).ino);
      expect(inodes[0]).toBe(inodes[1]);
      expect(lstatSync(join(scratch.path, 'second')).nlink).toBe(2);
      expect(readdirSync(scratch.path)).toEqual(['d', 'second']);
    }
  });

  test('join a symbolic link itself, not what it leads to', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    restore.root.writeSpecial(file('l', { mode: 0o120777, target: utf8('nowhere') }));
    restore.root.writeLink(file('m', { mode: 0o120777 }), {
      directory: restore.root,
      name: utf8('l'),
    });
    expect(lstatSync(join(scratch.path, 'm')).ino).toBe(lstatSync(join(scratch.path, 'l')).ino);
  });

  test('to a file that is not there are not found', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const original = { directory: restore.root, name: utf8('none') };
    expect(errorOf(() => restore.root.writeLink(file('l'), original)).code).toBe('not-found');
  });
});

describe('what stands in the target already', () => {
  type Case = [Overwrite, string, Partial<TreeEntry>, 'write' | 'same' | 'skip'];
  const same = {};
  const larger = { size: 5 };
  const newer = { mtimeNs: mtimeNs + 1n };
  const older = { mtimeNs: mtimeNs - 1n };
  const link = { mode: 0o120777, target: utf8('x') };
  const otherMode = { mode: 0o100600 };
  test.each<Case>([
    ['always', 'the same file', same, 'write'],
    ['if-changed', 'the same file', same, 'same'],
    ['if-newer', 'the same file', same, 'same'],
    ['never', 'the same file', same, 'same'],
    ['if-changed', 'a file of another size', larger, 'write'],
    ['if-changed', 'a file one nanosecond older', newer, 'write'],
    ['if-changed', 'a file one nanosecond newer', older, 'write'],
    ['if-changed', 'a file of another mode', otherMode, 'write'],
    ['if-newer', 'a file one nanosecond older', newer, 'write'],
    ['if-newer', 'a file one nanosecond newer', older, 'skip'],
    ['if-newer', 'a file of another size', larger, 'skip'],
    ['never', 'a file one nanosecond older', newer, 'skip'],
    ['if-changed', 'a file instead of a link', link, 'write'],
    ['never', 'a file instead of a link', link, 'skip'],
  ])('under "%s", %s', async (overwrite, _, given, expected) => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    await restore.root.writeFile(file('f', { size: 4 }), utf8('1234'));
    expect(restore.root.check(file('f', { size: 4, ...given }), overwrite)).toBe(expected);
    expect(restore.root.check(file('none', given), overwrite)).toBe('write');
  });

  test('is compared by target when it is a link', async () => {
    await using scratch = scratchDirectory();
    await using restore = await target(scratch.path);
    const entry = file('l', { mode: 0o120777, target: utf8('one') });
    restore.root.writeSpecial(entry);
    expect(restore.root.check(entry, 'if-changed')).toBe('same');
    expect(restore.root.check({ ...entry, target: utf8('two') }, 'if-changed')).toBe('write');
  });
});

test('what another user may not set is reported, and the content is there all the same', async (context) => {
  needsRoot(context);
  await using scratch = scratchDirectory();
  chmodSync(scratch.path, 0o777);
  process.seteuid?.(65534);
  try {
    await using restore = await target(join(scratch.path, 'root'));
    const xattrs = [{ name: utf8('trusted.t'), value: utf8('1') }];
    const problems = await restore.root.writeFile(
      file('f', { uid: 1001, gid: 1001, size: 1, xattrs }),
      utf8('x'),
    );
    expect(problems.map(({ what }) => what)).toEqual([
      'owner 1001:1001 not set (EPERM)',
      'extended attribute trusted.t not set (EPERM)',
    ]);
    const device = file('c', { mode: 0o020666, rdev: 0x103n });
    expect(restore.root.writeSpecial(device)).toEqual([{ what: 'character not created (EPERM)' }]);
    expect(readFileSync(join(scratch.path, 'root/f'), 'utf8')).toBe('x');
    expect(readdirSync(join(scratch.path, 'root'))).toEqual(['f']);
    const foreign: TargetDirectory = await restore.root.enter(directory('d'));
    await foreign[Symbol.asyncDispose]();
  } finally {
    process.seteuid?.(0);
  }
});

test('a full disk is told apart from other failures, and leaves no partial file', async (context) => {
  needsRoot(context);
  await using scratch = scratchDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', scratch.path], {
      stdio: 'pipe',
    });
  } catch (error) {
    context.skip(`no mounts here: ${String(error)}`);
  }
  try {
    await using restore = await target(scratch.path);
    const content = new Uint8Array(MiB).fill(1);
    const writing = restore.root.writeFile(file('f', { size: MiB }), content);
    await expect(writing).rejects.toMatchObject({ code: 'disk-full' });
    const open = restore.root.createFile(file('g', { size: MiB }));
    await expect(open.write(0, content)).rejects.toMatchObject({ code: 'disk-full' });
    await open.abandon();
    expect(readdirSync(scratch.path)).toEqual([]);
  } finally {
    execFileSync('umount', [scratch.path]);
  }
});
