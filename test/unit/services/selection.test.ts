import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { PathPattern } from '../../../src/core/policy/path-pattern.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../../../src/ports/source.ts';
import {
  normalisePath,
  Selection,
  type SelectionOptions,
} from '../../../src/services/selection.ts';

function selection(paths: readonly string[], more: Partial<SelectionOptions> = {}): Selection {
  return new Selection({
    paths: paths.map(utf8),
    excludes: [],
    excludeIfPresent: [],
    excludeCaches: false,
    excludeLargerThan: undefined,
    oneFileSystem: false,
    ...more,
  });
}

const file = 0o100644;
const directory = 0o040755;
const link = 0o120777;

function facts(mode: number, change: Partial<FileFacts> = {}): FileFacts {
  const none = { uid: 0, gid: 0, mtimeNs: 0n, ctimeNs: 0n, inode: 1n, device: 1n, rdev: 0n };
  return { ...none, mode, size: 100, linkCount: 1, ...change };
}

function takes(one: Selection, path: string, mode = file, size = 100): boolean {
  const name = utf8(path.slice(path.lastIndexOf('/') + 1));
  const entry: SourceEntry = { name, facts: facts(mode, { size }) };
  return one.takes(utf8(path), entry);
}

describe('the paths asked for', () => {
  test('bring all below them, and directories that lead to them', () => {
    const one = selection(['/home/ada/notes', '/etc']);
    expect(takes(one, '/home', directory)).toBe(true);
    expect(takes(one, '/home/ada', directory)).toBe(true);
    expect(takes(one, '/home/ada/notes', directory)).toBe(true);
    expect(takes(one, '/home/ada/notes/a/b')).toBe(true);
    expect(takes(one, '/etc/passwd')).toBe(true);
    expect(takes(one, '/home/bob', directory)).toBe(false);
    expect(takes(one, '/home/ada/other')).toBe(false);
  });

  test('do not take names that only begin alike', () => {
    const one = selection(['/home/ada']);
    expect(takes(one, '/home/adam', directory)).toBe(false);
    expect(takes(one, '/home/ad', directory)).toBe(false);
    expect(takes(one, '/home/ada.txt')).toBe(false);
    expect(takes(one, '/home/ada/x')).toBe(true);
  });

  test('are reached through directories, not through files and links of that name', () => {
    const one = selection(['/a/b/c']);
    expect(takes(one, '/a/b', file)).toBe(false);
    expect(takes(one, '/a/b', link)).toBe(false);
    expect(takes(one, '/a/b', directory)).toBe(true);
  });

  test('may be the whole file system', () => {
    const one = selection(['/']);
    expect(takes(one, '/anything')).toBe(true);
    expect(takes(one, '/any/thing/at/all', link)).toBe(true);
    expect(one.missing()).toEqual([]);
  });

  test('are missing until the walk comes to them, the whole file system never', () => {
    const one = selection(['/', '/a/b', '/a', '/gone']);
    expect(one.missing()).toEqual(['/a/b', '/a', '/gone'].map(utf8));
    takes(one, '/a', directory);
    expect(one.missing()).toEqual(['/a/b', '/gone'].map(utf8));
    takes(one, '/a/b', file);
    expect(one.missing()).toEqual([utf8('/gone')]);
  });

  test('are compared as bytes', () => {
    const name = concat([utf8('/home/'), Uint8Array.of(0xff, 0xfe)]);
    const one = new Selection({ ...optionsOf(), paths: [name] });
    const entry = { name: Uint8Array.of(0xff, 0xfe), facts: facts(file) };
    expect(one.takes(name, entry)).toBe(true);
    expect(one.takes(concat([utf8('/home/'), Uint8Array.of(0xff, 0xfd)]), entry)).toBe(false);
  });
});

function optionsOf(): SelectionOptions {
  return {
    paths: [],
    excludes: [],
    excludeIfPresent: [],
    excludeCaches: false,
    excludeLargerThan: undefined,
    oneFileSystem: false,
  };
}

describe('what is left out', () => {
  test('by a pattern', () => {
    const one = selection(['/home'], { excludes: [PathPattern.parse('*.tmp')] });
    expect(takes(one, '/home/a.tmp')).toBe(false);
    expect(takes(one, '/home/a.txt')).toBe(true);
  });

  test('by size: files only, and only larger ones', () => {
    const one = selection(['/'], { excludeLargerThan: 1000 });
    expect(takes(one, '/a', file, 1000)).toBe(true);
    expect(takes(one, '/a', file, 1001)).toBe(false);
    expect(takes(one, '/a', directory, 4096)).toBe(true);
  });
});

/** A directory that holds these files. */
function holding(files: Readonly<Record<string, string>>): SourceDirectory {
  const peek = (name: Uint8Array, size: number): Uint8Array | undefined => {
    const content = files[new TextDecoder().decode(name)];
    return content === undefined ? undefined : utf8(content).subarray(0, size);
  };
  return { peek } as unknown as SourceDirectory;
}

describe('a directory whose files are all taken', () => {
  const all = (one: Selection, path: string): boolean => one.takesAllFilesIn(utf8(path));

  test('lies inside a path that was asked for', () => {
    const one = selection(['/home/ada']);
    takes(one, '/home/ada', directory);
    expect(all(one, '/home')).toBe(false);
    expect(all(one, '/home/ada')).toBe(true);
    expect(all(one, '/home/ada/notes/old')).toBe(true);
    expect(all(one, '/home/adam')).toBe(false);
    expect(all(selection(['/']), '')).toBe(true);
    expect(all(selection(['/']), '/etc')).toBe(true);
  });

  test('holds nothing that the walk has not come across and must', () => {
    const one = selection(['/home', '/home/ada/file']);
    expect(all(one, '/home/ada')).toBe(false);
    takes(one, '/home', directory);
    expect(all(one, '/home/bob')).toBe(true);
    expect(all(one, '/home/ada')).toBe(false);
    takes(one, '/home/ada/file');
    expect(all(one, '/home/ada')).toBe(true);
  });

  test('is none where anything is left out that could be in it', () => {
    const excluding = selection(['/home'], { excludes: [PathPattern.parse('*.tmp')] });
    expect(all(excluding, '/home')).toBe(false);
    expect(all(selection(['/home'], { excludeLargerThan: 10 }), '/home')).toBe(false);
    const leaving = selection(['/'], { leaves: [utf8('/var/lib/holdfast')] });
    expect(all(leaving, '/var/lib')).toBe(false);
    expect(all(leaving, '/var/lib/holdfast')).toBe(false);
    expect(all(leaving, '/var/log')).toBe(true);
  });
});

describe('a cache', () => {
  const tag = 'Signature: 8a477f597d28d172789f06886806bc55';

  test('is what has the tag of caches, when caches are left out', () => {
    const one = selection(['/'], { excludeCaches: true });
    expect(one.isCache(holding({ 'CACHEDIR.TAG': `${tag}\n# of this program` }))).toBe(true);
    expect(one.isCache(holding({ 'CACHEDIR.TAG': tag.slice(0, -1) }))).toBe(false);
    expect(one.isCache(holding({ 'CACHEDIR.TAG': '' }))).toBe(false);
    expect(one.isCache(holding({}))).toBe(false);
    expect(selection(['/']).isCache(holding({ 'CACHEDIR.TAG': tag }))).toBe(false);
  });

  test('is what has a file whose presence excludes, even an empty one', () => {
    const one = selection(['/'], { excludeIfPresent: ['.nobackup', '.skip'] });
    expect(one.isCache(holding({ '.skip': '' }))).toBe(true);
    expect(one.isCache(holding({ other: 'x' }))).toBe(false);
  });

  test('is not what only leads to a path that was asked for', () => {
    const one = selection(['/home/.cache/keep'], { excludeCaches: true });
    const tagged = holding({ 'CACHEDIR.TAG': tag });
    expect(one.isCache(tagged, utf8('/home/.cache'))).toBe(false);
    expect(one.isCache(tagged, utf8('/home/.cache/keep'))).toBe(true);
    expect(one.isCache(tagged, utf8('/home/.cache/keep/more'))).toBe(true);
  });
});

describe('one file system', () => {
  const on = (device: bigint): FileFacts => facts(directory, { device });

  test('is all there is to go by when it is not asked for', () => {
    expect(selection(['/']).deviceBelow(1n, on(2n))).toBeUndefined();
  });

  test('is that of the path asked for', () => {
    const one = selection(['/'], { oneFileSystem: true });
    expect(one.deviceBelow(undefined, on(7n))).toBe(7n);
    expect(one.deviceBelow(7n, on(7n))).toBe(7n);
    expect(one.deviceBelow(7n, on(8n))).toBe('other');
  });

  test('begins at the path asked for, not at the directories on the way to it', () => {
    const one = selection(['/mnt/disk', '/mnt/disk/inner'], { oneFileSystem: true });
    expect(one.deviceBelow(undefined, on(1n), utf8('/mnt'))).toBeUndefined();
    expect(one.deviceBelow(undefined, on(2n), utf8('/mnt/disk'))).toBe(2n);
    expect(one.deviceBelow(2n, on(3n), utf8('/mnt/disk/other'))).toBe('other');
    expect(one.deviceBelow(2n, on(3n), utf8('/mnt/disk/inner'))).toBe(3n);
  });
});

test.each([
  ['/', '/'],
  ['//', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b'],
  ['//a///b//', '/a/b'],
  ['/./a/./b/.', '/a/b'],
  ['/.hidden/...', '/.hidden/...'],
  ['/a/../b', undefined],
  ['/..', undefined],
  ['a/b', undefined],
  ['', undefined],
])('the path %j is the same as %j', (given, normal) => {
  const path = normalisePath(utf8(given));
  expect(path && new TextDecoder().decode(path)).toBe(normal);
});
