import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import { systemError } from './system-error.ts';

/** What a write leaves behind when the process dies in the middle of it. Safe to delete at any time. */
export const temporarySuffix = '.tmp';

/**
 * Replaces a file so that a crash leaves the old content or the new, never a mixture; durable when resolved.
 * @throws HoldfastError disk-full | io-error (with details.fatal when a sync failed)
 */
export async function writeDurable(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  // Beside the target: rename is atomic only within one file system.
  const temporary = join(
    directory,
    `.${basename(path)}.${randomBytes(6).toString('hex')}${temporarySuffix}`,
  );
  try {
    await writeAndSync(temporary, bytes, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw systemError(error, `write ${path}`);
  }
  await syncDirectory(directory);
}

async function writeAndSync(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(bytes);
    await syncOnce(() => file.sync(), path);
  } finally {
    await file.close();
  }
}

/** Makes the names in a directory durable: files created, renamed and removed. @throws HoldfastError io-error */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch((error: unknown) => {
    throw systemError(error, `open ${path}`);
  });
  try {
    await syncOnce(() => directory.sync(), path);
  } finally {
    await directory.close();
  }
}

/** Creates a directory (0700) below one that exists, and makes its name durable. No-op when it is there. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw systemError(error, `create ${path}`);
  }
  await syncDirectory(dirname(path));
}

/**
 * Runs a sync, once. After a failed one the kernel marks the unwritten pages clean, so that the next call
 * would report success for bytes that are lost (Rebello et al., "Can Applications Recover from fsync
 * Failures?", ATC 2020): the error is fatal, and nobody may try again.
 */
export async function syncOnce(sync: () => Promise<void>, path: string): Promise<void> {
  try {
    await sync();
  } catch (cause) {
    throw new HoldfastError('io-error', `the disk did not take what was written to ${path}`, {
      next: 'check the disk (dmesg, smartctl), then start the agent again',
      details: { path, fatal: true },
      cause,
    });
  }
}
