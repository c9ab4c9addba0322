import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { DirectoryHandle } from '../../../../src/adapters/fs/directory-handle.ts';
import { listAll } from '../../../../src/adapters/fs/list-job.ts';
import { type Listing, ListingQueue, listHere } from '../../../../src/adapters/fs/listing.ts';
import { setXattr } from '../../../../src/adapters/fs/native.ts';
import { openSource } from '../../../../src/adapters/fs/source.ts';
import { fromUtf8, utf8 } from '../../../../src/base/bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const source = openSource({ threads: 2 });
afterAll(() => source[Symbol.asyncDispose]());

function handleOf(path: string): DirectoryHandle {
  return DirectoryHandle.open(Buffer.from(path), { followLast: true });
}

function namesIn({ entries }: Pick<Listing, 'entries'>): (string | undefined)[] {
  return entries.map(({ name }) => fromUtf8(name));
}

/** 40 directories of 0 to 39 files, a link and a directory in each. */
function manyDirectories(root: string): string[] {
  return Array.from({ length: 40 }, (_, i) => {
    const path = join(root, `d${i}`);
    mkdirSync(join(path, 'sub'), { recursive: true });
    symlinkSync('nowhere', join(path, 'link'));
    for (let k = 0; k < i; k++) writeFileSync(join(path, `é${k}`), 'x'.repeat(k));
    return path;
  });
}

describe('directories that are listed together', () => {
  test('say what each says by itself', async () => {
    await using scratch = scratchDirectory();
    const handles = manyDirectories(scratch.path).map(handleOf);
    const jobs: number[] = [];
    const queue = new ListingQueue({
      lanes: 2,
      run: async (job, { onDone }) => {
        jobs.push(job.prefixes.length);
        const answer = listAll(job);
        onDone();
        return answer;
      },
    });
    const together = await Promise.all(handles.map((handle) => queue.list(handle)));
    const apart = await Promise.all(handles.map((handle) => listHere(handle)));
    expect(together).toEqual(apart);
    expect(together.map(({ entries }) => entries.length)).toEqual(handles.map((_, i) => i + 2));
    expect(jobs.length).toBeLessThanOrEqual(4);
    for (const handle of handles) handle.close();
  });

  test('have their own extended attributes, and entries theirs not', async () => {
    await using scratch = scratchDirectory();
    const paths = manyDirectories(scratch.path).slice(0, 3);
    setXattr(utf8(paths[1] as string), utf8('user.of'), utf8('the second'));
    const directories = await Promise.all(paths.map((path) => source.open(utf8(`${path}/.`))));
    const own = (): string[] =>
      directories.map((one) =>
        one
          .ownXattrs()
          .map(({ name }) => fromUtf8(name))
          .join(),
      );
    expect(own()).toEqual(['', 'user.of', '']);
    await Promise.all(directories.map((one) => one.list()));
    expect(own()).toEqual(['', 'user.of', '']);
    for (const one of directories) await one[Symbol.asyncDispose]();
  });

  test('do not fail with one that cannot be listed', async () => {
    await using scratch = scratchDirectory();
    const paths = manyDirectories(scratch.path).slice(0, 3);
    const prefixes = paths.map((path) => utf8(`${path}/`));
    rmSync(paths[1] as string, { recursive: true });
    const run = async (_: unknown, { onDone }: { onDone: () => void }) => {
      onDone();
      return listAll({ prefixes });
    };
    const queue = new ListingQueue({ lanes: 1, run });
    await using stack = new AsyncDisposableStack();
    const handles = paths.map(() => stack.adopt(handleOf(scratch.path), (one) => one.close()));
    const [first, second, third] = await Promise.allSettled(handles.map(queue.list));
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(second).toMatchObject({
      status: 'rejected',
      reason: { code: 'not-found', message: 'cannot list the directory: it is not there' },
    });
    expect(namesIn((third as PromiseFulfilledResult<Listing>).value)).toEqual([
      ...['link', 'sub', 'é0', 'é1'],
    ]);
  });

  test('stay open until the thread is done, though their owner has closed them', async () => {
    await using scratch = scratchDirectory();
    const [path] = manyDirectories(scratch.path).slice(5, 6);
    const directory = await source.open(utf8(`${path}/.`));
    const listing = directory.list();
    await directory[Symbol.asyncDispose]();
    expect(await listing).toHaveLength(7);
    await expect(directory.list()).rejects.toThrow('closed');
  });

  test('are refused once the source is closed', async () => {
    await using scratch = scratchDirectory();
    const other = openSource({ threads: 1 });
    const directory = await other.open(utf8(`${scratch.path}/.`));
    await other[Symbol.asyncDispose]();
    await expect(directory.list()).rejects.toMatchObject({ code: 'interrupted' });
    await directory[Symbol.asyncDispose]();
  });
});
