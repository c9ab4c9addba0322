import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { DirectoryHandle } from '../../../../src/adapters/fs/directory-handle.ts';
import { setXattr } from '../../../../src/adapters/fs/native.ts';
import { openSource } from '../../../../src/adapters/fs/source.ts';
import { concat, utf8 } from '../../../../src/base/bytes.ts';
import { KiB, MiB } from '../../../../src/base/units.ts';
import { Chunker } from '../../../../src/core/coding/chunker.ts';
import { KeyedHasher } from '../../../../src/core/crypto/hash.ts';
import type {
  ReadResult,
  SlabExtent,
  SourceDirectory,
  SourceEntry,
} from '../../../../src/ports/source.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const chunking = {
  min: 4 * KiB,
  average: 16 * KiB,
  max: 64 * KiB,
  cutKey: noise(40, 7),
  idKey: noise(32, 8),
};
const source = openSource({ threads: 2 });
afterAll(() => source[Symbol.asyncDispose]());

// The same on every run, and nothing in it repeats.
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

async function opened(path: string): Promise<SourceDirectory> {
  return source.open(utf8(`${path}/.`));
}

function latin1(entries: readonly SourceEntry[]): string[] {
  return entries.map((entry) => Buffer.from(entry.name).toString('latin1'));
}

type ReadFile = Extract<ReadResult, { outcome: 'read' }>;

async function readOne(
  directory: SourceDirectory,
  name: string,
  part: { offset?: number; sizeMax?: number } = {},
): Promise<{ result: ReadFile; slab: Uint8Array }> {
  const request = { directory, name: utf8(name), offset: 0, sizeMax: 64 * MiB, ...part };
  const { slab, results } = await source.read([request], chunking);
  const result = results[0];
  if (result?.outcome !== 'read') throw new Error(`not read: ${JSON.stringify(result)}`);
  return { result, slab };
}

/** Lengths and ids, holes with the id undefined. */
function shape(extents: readonly SlabExtent[]): { length: number; id: string | undefined }[] {
  return extents.map((extent) => ({
    length: extent.length,
    id: extent.kind === 'chunk' ? Buffer.from(extent.id).toString('hex') : undefined,
  }));
}

/** All parts of a file one after another. */
async function readParts(directory: SourceDirectory, name: string, sizeMax: number) {
  const extents: { length: number; id: string | undefined }[] = [];
  const content: Uint8Array[] = [];
  let count = 0;
  for (let offset: number | undefined = 0; offset !== undefined; count++) {
    const part = await readOne(directory, name, { offset, sizeMax });
    extents.push(...shape(part.result.extents));
    content.push(part.slab);
    expect(part.result.next === undefined || part.result.next > offset).toBe(true);
    offset = part.result.next;
  }
  return { extents, content: concat(content), count };
}

/** What one cut over the whole run gives. */
function expectedChunks(bytes: Uint8Array): { length: number; id: string }[] {
  const chunker = new Chunker(chunking);
  const hasher = new KeyedHasher(chunking.idKey);
  const chunks: { length: number; id: string }[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = chunker.next(bytes, start, bytes.length, true);
    if (end === undefined) throw new Error('the last chunk is always decided');
    const id = Buffer.from(hasher.hash(bytes.subarray(start, end))).toString('hex');
    chunks.push({ length: end - start, id });
    start = end;
  }
  return chunks;
}

describe('directories', () => {
  test('are listed by name bytes, whatever the bytes are, with times to the nanosecond', async () => {
    await using scratch = scratchDirectory();
    const names = ['b', 'a\nb', 'Z', '\xff\xfe', 'a', '\xc3\xa9', '-rf', ' '];
    for (const name of names) {
      writeFileSync(Buffer.from(`${scratch.path}/${name}`, 'latin1'), name);
    }
    await using directory = await opened(scratch.path);
    const entries = await directory.list();
    expect(latin1(entries)).toEqual([' ', '-rf', 'Z', 'a', 'a\nb', 'b', '\xc3\xa9', '\xff\xfe']);
    const stats = lstatSync(join(scratch.path, 'b'), { bigint: true });
    expect(entries[5]?.facts).toEqual({
      mode: Number(stats.mode),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      size: 1,
      mtimeNs: stats.mtimeNs,
      ctimeNs: stats.ctimeNs,
      inode: stats.ino,
      device: stats.dev,
      rdev: 0n,
      linkCount: 1,
    });
  });

  test('that are large are listed completely while others get their turn', async () => {
    await using scratch = scratchDirectory();
    const count = 2100;
    for (let i = 0; i < count; i++)
      closeSync(openSync(`${scratch.path}/${i} ${'n'.repeat(30)}`, 'w'));
    await using directory = await opened(scratch.path);
    let turns = 0;
    let isListed = false;
    const counting = (async () => {
      for (; !isListed; turns++) await setImmediate();
    })();
    const entries = await directory.list();
    isListed = true;
    await counting;
    expect(entries.length).toBe(count);
    expect(turns).toBeGreaterThanOrEqual(1);
    const sorted = latin1(entries);
    expect(sorted).toEqual([...sorted].sort());
  });

  test('that are many and small let others have their turn, too', async () => {
    await using scratch = scratchDirectory();
    for (let i = 0; i < 20; i++) writeFileSync(join(scratch.path, `f${i}`), '');
    await using directory = await opened(scratch.path);
    let turns = 0;
    let isOver = false;
    const others = (async () => {
      for (; !isOver; turns++) await setImmediate();
    })();
    const startMs = performance.now();
    while (performance.now() - startMs < 100) await directory.list();
    isOver = true;
    await others;
    expect(turns).toBeGreaterThan(2);
  });

  test('are not entered through a link, nor when a file or nothing has taken the name', async () => {
    await using scratch = scratchDirectory();
    symlinkSync('/etc', join(scratch.path, 'link'));
    writeFileSync(join(scratch.path, 'file'), '');
    await using directory = await opened(scratch.path);
    for (const name of ['link', 'file', 'nothing']) {
      await expect(directory.enter(utf8(name))).rejects.toMatchObject({ code: 'not-found' });
    }
  });

  test('are opened as the one that holds the last component, through links on the way', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'real/inner'), { recursive: true });
    symlinkSync('real', join(scratch.path, 'link'));
    for (const path of ['real/inner', 'real/inner///', 'link/inner']) {
      await using parent = await source.open(utf8(`${scratch.path}/${path}`));
      expect(latin1(await parent.list())).toEqual(['inner']);
    }
    await using root = await source.open(utf8('/'));
    expect(root.ownFacts().inode).toBe(statSync('/', { bigint: true }).ino);
    await using top = await source.open(utf8('/etc'));
    expect(top.ownFacts().inode).toBe(statSync('/', { bigint: true }).ino);
  });

  test('that are missing or named without a leading slash are not found', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), '');
    for (const path of [`${scratch.path}/none/x`, `${scratch.path}/file/x`, 'etc/passwd']) {
      await expect(source.open(utf8(path))).rejects.toMatchObject({ code: 'not-found' });
    }
  });

  test('are reached at any depth, far beyond the length of a path', async () => {
    await using scratch = scratchDirectory();
    const name = Buffer.alloc(200, 'd');
    await using stack = new AsyncDisposableStack();
    let handle = DirectoryHandle.open(Buffer.from(scratch.path), { followLast: true });
    for (let depth = 0; depth < 40; depth++) {
      mkdirSync(handle.child(name));
      const below = handle.enter(name);
      handle.close();
      handle = below;
    }
    writeFileSync(handle.child(utf8('bottom')), 'deep');
    handle.close();

    let directory = stack.use(await opened(scratch.path));
    for (let depth = 0; depth < 40; depth++) {
      expect(await directory.list()).toHaveLength(1);
      directory = stack.use(await directory.enter(name));
    }
    const { slab } = await readOne(directory, 'bottom');
    expect(Buffer.from(slab).toString()).toBe('deep');
  });
});

describe('attributes', () => {
  test('of files and directories come sorted by name, with POSIX ACLs as raw bytes', async (context) => {
    await using scratch = scratchDirectory();
    const path = Buffer.from(join(scratch.path, 'file'));
    writeFileSync(path, '');
    const value = noise(1000, 3);
    try {
      setXattr(path, utf8('user.zz'), value);
      setXattr(path, utf8('user.a'), utf8(''));
      setXattr(Buffer.from(scratch.path), utf8('user.own'), utf8('x'));
    } catch (error) {
      context.skip(`no extended attributes here: ${String(error)}`);
    }
    await using directory = await opened(scratch.path);
    const xattrs = directory.xattrs(utf8('file'));
    expect(xattrs.map(({ name }) => Buffer.from(name).toString())).toEqual(['user.a', 'user.zz']);
    expect(xattrs[0]?.value).toHaveLength(0);
    expect(Buffer.from(xattrs[1]?.value ?? []).equals(value)).toBe(true);
    const { result } = await readOne(directory, 'file');
    expect(result.xattrs.map(({ name }) => Buffer.from(name).toString())).toEqual([
      'user.a',
      'user.zz',
    ]);
    expect(result.xattrs[0]?.value).toHaveLength(0);
    expect(Buffer.from(result.xattrs[1]?.value ?? []).equals(value)).toBe(true);
    expect(directory.ownXattrs().map(({ name }) => Buffer.from(name).toString())).toEqual([
      'user.own',
    ]);
  });

  test('are empty for files without any, and for links', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), '');
    symlinkSync('nowhere', join(scratch.path, 'link'));
    await using directory = await opened(scratch.path);
    expect(directory.xattrs(utf8('file'))).toEqual([]);
    expect((await readOne(directory, 'file')).result.xattrs).toEqual([]);
    expect(directory.xattrs(utf8('link'))).toEqual([]);
  });

  test('of a link that became a file, and of a link that vanished, are not found', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), '');
    symlinkSync(Buffer.from([0xff, 0x0a]), join(scratch.path, 'link'));
    await using directory = await opened(scratch.path);
    expect(Buffer.from(directory.readLink(utf8('link')))).toEqual(Buffer.from([0xff, 0x0a]));
    for (const name of ['file', 'none']) {
      expect(() => directory.readLink(utf8(name))).toThrowError(
        expect.objectContaining({ code: 'not-found' }),
      );
    }
  });

  test('names of users and groups are those of the host, empty for unknown numbers', () => {
    expect(source.userName(0)).toBe('root');
    expect(source.groupName(0)).toBe('root');
    expect(source.userName(3_999_999_999)).toBe('');
  });
});

test('peek gives the beginning of a file, and nothing of what is not a regular file', async () => {
  await using scratch = scratchDirectory();
  writeFileSync(join(scratch.path, 'file'), 'Signature: 8a477f597d28d172');
  symlinkSync('file', join(scratch.path, 'link'));
  execFileSync('mkfifo', [join(scratch.path, 'fifo')]);
  await using directory = await opened(scratch.path);
  expect(Buffer.from(directory.peek(utf8('file'), 10) ?? []).toString()).toBe('Signature:');
  expect(directory.peek(utf8('file'), 100)).toHaveLength(27);
  for (const name of ['link', 'fifo', 'none']) {
    expect(directory.peek(utf8(name), 10)).toBeUndefined();
  }
});

describe('reading', () => {
  test('cuts and names many files into one slab, in the order asked for', async () => {
    await using scratch = scratchDirectory();
    const contents = [0, 1, 5000, 300 * KiB, 17].map((length, i) => noise(length, i));
    const names = contents.map((_, i) => utf8(`file ${i}`));
    for (const [i, content] of contents.entries()) {
      writeFileSync(join(scratch.path, `file ${i}`), content);
    }
    await using directory = await opened(scratch.path);
    const requests = names.map((name) => ({ directory, name, offset: 0, sizeMax: MiB }));
    const { slab, results } = await source.read(requests, chunking);
    expect(results).toHaveLength(5);
    for (const [i, result] of results.entries()) {
      const content = contents[i] as Uint8Array;
      if (result.outcome !== 'read') throw new Error('not read');
      expect(result).toMatchObject({ isStable: true, next: undefined });
      expect(result.facts.size).toBe(content.length);
      expect(shape(result.extents)).toEqual(expectedChunks(content));
      const pieces = result.extents.map((extent) =>
        extent.kind === 'chunk'
          ? slab.subarray(extent.offset, extent.offset + extent.length)
          : new Uint8Array(extent.length),
      );
      expect(Buffer.from(concat(pieces)).equals(content)).toBe(true);
    }
  });

  test('says which files vanished and which are no regular files any more', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'good'), 'good');
    symlinkSync('good', join(scratch.path, 'link'));
    mkdirSync(join(scratch.path, 'directory'));
    execFileSync('mkfifo', [join(scratch.path, 'fifo')]);
    await using directory = await opened(scratch.path);
    const names = ['gone', 'link', 'directory', 'fifo', 'good'];
    const requests = names.map((name) => ({
      directory,
      name: utf8(name),
      offset: 0,
      sizeMax: MiB,
    }));
    const { results, slab } = await source.read(requests, chunking);
    expect(results.map((result) => result.outcome)).toEqual([
      'vanished',
      'failed',
      'failed',
      'failed',
      'read',
    ]);
    expect(Buffer.from(slab).toString()).toBe('good');
    expect(results[1]).toMatchObject({ reason: 'it is no longer a regular file' });
  });

  test('of a large file in parts gives the chunks of one cut, whatever the parts are', async () => {
    await using scratch = scratchDirectory();
    const content = noise(1_500_000, 42);
    writeFileSync(join(scratch.path, 'large'), content);
    await using directory = await opened(scratch.path);
    const expected = expectedChunks(content);
    for (const sizeMax of [1, 100_000, 500_000, 1_500_000]) {
      const parts = await readParts(directory, 'large', sizeMax);
      expect(parts.extents).toEqual(expected);
      expect(Buffer.from(parts.content).equals(content)).toBe(true);
      expect(parts.count > 1).toBe(sizeMax < content.length);
    }
  });

  test('leaves out holes, and cuts each run of data on its own', async (context) => {
    await using scratch = scratchDirectory();
    const runs = [
      { at: 0, bytes: noise(200 * KiB, 1) },
      { at: MiB, bytes: noise(100 * KiB, 2) },
      // 32 KiB after the one before: too little to be a hole.
      { at: MiB + 132 * KiB, bytes: noise(68 * KiB, 3) },
      { at: 5 * MiB, bytes: noise(12 * KiB, 4) },
    ];
    const size = 9 * MiB;
    writeSparse(join(scratch.path, 'sparse'), runs, size);
    if (lstatSync(join(scratch.path, 'sparse')).blocks * 512 > MiB) {
      context.skip('this file system keeps no holes');
    }
    const joined = new Uint8Array(200 * KiB);
    joined.set(runs[1]?.bytes ?? [], 0);
    joined.set(runs[2]?.bytes ?? [], 132 * KiB);
    const expected = [
      ...expectedChunks(runs[0]?.bytes as Uint8Array),
      { length: MiB - 200 * KiB, id: undefined },
      ...expectedChunks(joined),
      { length: 4 * MiB - 200 * KiB, id: undefined },
      ...expectedChunks(runs[3]?.bytes as Uint8Array),
      { length: 4 * MiB - 12 * KiB, id: undefined },
    ];
    await using directory = await opened(scratch.path);
    for (const sizeMax of [1, 90_000, 8 * MiB]) {
      expect((await readParts(directory, 'sparse', sizeMax)).extents).toEqual(expected);
    }
  });

  test('of a file that is one hole moves no bytes', async () => {
    await using scratch = scratchDirectory();
    const size = 1024 * 1024 * MiB;
    writeSparse(join(scratch.path, 'empty'), [], size);
    await using directory = await opened(scratch.path);
    const { result, slab } = await readOne(directory, 'empty');
    expect(shape(result.extents)).toEqual([{ length: size, id: undefined }]);
    expect(slab).toHaveLength(0);
    expect(result.next).toBeUndefined();
  });

  test('tells the facts of the file as opened, when it changed since it was listed', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), 'before');
    await using directory = await opened(scratch.path);
    const [listed] = await directory.list();
    writeFileSync(join(scratch.path, 'file'), 'afterwards');
    const { result, slab } = await readOne(directory, 'file');
    expect(listed?.facts.size).toBe(6);
    expect(result.facts.size).toBe(10);
    expect(result.isStable).toBe(true);
    expect(Buffer.from(slab).toString()).toBe('afterwards');
  });

  test('tells that a file changed under the reader', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'busy');
    writeFileSync(path, noise(12 * MiB, 5));
    await using directory = await opened(scratch.path);
    let isRead = false;
    const reading = readOne(directory, 'busy').finally(() => {
      isRead = true;
    });
    while (!isRead) {
      appendFileSync(path, 'x');
      await setImmediate();
    }
    expect((await reading).result.isStable).toBe(false);
  });

  test('of a part behind the end, after a truncation, gives nothing more', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'short'), 'now short');
    await using directory = await opened(scratch.path);
    const { result } = await readOne(directory, 'short', { offset: MiB });
    expect(result).toMatchObject({ extents: [], next: undefined });
  });

  test('leaves access times alone', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'file');
    writeFileSync(path, 'content');
    // Older than the modification: relatime would set it at the first read.
    utimesSync(path, 1000, 2000);
    await using directory = await opened(scratch.path);
    await readOne(directory, 'file');
    directory.peek(utf8('file'), 3);
    expect(statSync(path).atimeMs).toBe(1_000_000);
  });

  test('goes on when the directory was closed meanwhile: the descriptor is kept', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), 'kept');
    const directory = await opened(scratch.path);
    const reading = readOne(directory, 'file');
    await directory[Symbol.asyncDispose]();
    expect(Buffer.from((await reading).slab).toString()).toBe('kept');
    expect(() => directory.ownFacts()).toThrow('closed');
  });
});

describe('waiting for a read', () => {
  test('ends with the signal, before and after the job has started', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), noise(4 * MiB, 1));
    await using directory = await opened(scratch.path);
    const request = { directory, name: utf8('file'), offset: 0, sizeMax: 64 * MiB };
    const started = new AbortController();
    const reads = Array.from({ length: 4 }, () =>
      source.read([request], chunking, { signal: started.signal }),
    );
    started.abort(new Error('enough'));
    for (const read of reads) await expect(read).rejects.toThrow('enough');
    await expect(source.read([request], chunking, { signal: started.signal })).rejects.toThrow(
      'enough',
    );
    expect((await readOne(directory, 'file')).slab).toHaveLength(4 * MiB);
  });

  test('ends with an error when the thread dies, and the next read has a new one', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), 'content');
    await using directory = await opened(scratch.path);
    const request = { directory, name: utf8('file'), offset: 0, sizeMax: MiB };
    const wrong = { ...chunking, idKey: new Uint8Array(3) };
    await expect(source.read([request], wrong)).rejects.toMatchObject({ code: 'failed' });
    expect((await readOne(directory, 'file')).slab).toHaveLength(7);
  });

  test('ends when the source is closed', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), noise(4 * MiB, 1));
    const other = openSource({ threads: 1 });
    await using directory = await other.open(utf8(`${scratch.path}/.`));
    const request = { directory, name: utf8('file'), offset: 0, sizeMax: 64 * MiB };
    const reads = [other.read([request], chunking), other.read([request], chunking)];
    const ends = reads.map((read) => expect(read).rejects.toMatchObject({ code: 'interrupted' }));
    await other[Symbol.asyncDispose]();
    await Promise.all(ends);
    await expect(other.read([request], chunking)).rejects.toMatchObject({ code: 'interrupted' });
  });
});

function writeSparse(
  path: string,
  runs: readonly { at: number; bytes: Uint8Array }[],
  size: number,
): void {
  const fd = openSync(path, 'w');
  for (const { at, bytes } of runs) writeSync(fd, bytes, 0, bytes.length, at);
  ftruncateSync(fd, size);
  closeSync(fd);
}
