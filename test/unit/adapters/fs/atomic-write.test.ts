import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  makeDirectory,
  syncDirectory,
  syncOnce,
  writeDurable,
} from '../../../../src/adapters/fs/atomic-write.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { canMount, smallDisk } from '../../../support/small-disk.ts';

describe('writing a file durably', () => {
  test('the file is replaced as a whole and readable by its owner only', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'file');
    writeFileSync(path, 'a longer text than the new one', { mode: 0o644 });
    await writeDurable(path, utf8('new'));
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(scratch.path)).toEqual(['file']);
  });

  test('a link under the name is replaced, not followed', async () => {
    await using scratch = scratchDirectory();
    const victim = join(scratch.path, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, join(scratch.path, 'file'));
    await writeDurable(join(scratch.path, 'file'), utf8('new'));
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    expect(readFileSync(join(scratch.path, 'file'), 'utf8')).toBe('new');
  });

  test('writers of one file at once leave one of their contents', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'file');
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(1000));
    await Promise.all(texts.map((text) => writeDurable(path, utf8(text))));
    expect(texts).toContain(readFileSync(path, 'utf8'));
    expect(readdirSync(scratch.path)).toEqual(['file']);
  });

  test('a write that cannot be put in place leaves no temporary file', async () => {
    await using scratch = scratchDirectory();
    mkdirSync(join(scratch.path, 'file'));
    await expect(writeDurable(join(scratch.path, 'file'), utf8('new'))).rejects.toMatchObject({
      code: 'io-error',
    });
    expect(readdirSync(scratch.path)).toEqual(['file']);
  });

  test.skipIf(!canMount())('a full disk keeps the old content and says what to do', async () => {
    await using disk = smallDisk('64k');
    const path = join(disk.path, 'file');
    await writeDurable(path, utf8('old'));
    await expect(writeDurable(path, new Uint8Array(1 << 20))).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringContaining(path),
      next: expect.stringContaining('free'),
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(disk.path)).toEqual(['file']);
  });
});

describe('a sync that fails', () => {
  test('is fatal and not tried again', async () => {
    let calls = 0;
    const sync = async (): Promise<void> => {
      calls++;
      throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' });
    };
    await expect(syncOnce(sync, '/some/file')).rejects.toMatchObject({
      code: 'io-error',
      details: { fatal: true, path: '/some/file' },
    });
    expect(calls).toBe(1);
  });
});

describe('directories', () => {
  test('a directory is made private, and making it again does nothing', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'made');
    await makeDirectory(path);
    await makeDirectory(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test('syncing a directory that is not there names it', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'missing');
    await expect(syncDirectory(path)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(path),
    });
  });
});
