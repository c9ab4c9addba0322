import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { assert } from '../../base/assert.ts';
import { utf8 } from '../../base/bytes.ts';
import { formatSize } from '../../base/quantity.ts';
import { KiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { FileFacts, SourceDirectory } from '../../ports/source.ts';
import type { StagedFile, StagingArea, StagingAreas } from '../../ports/staging.ts';
import type { RestoreTarget } from '../../ports/target.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { factsOf, statOf } from './file-facts.ts';
import { fileFlags } from './quiet-open.ts';
import { listHere } from './listing.ts';
import { FsSourceDirectory } from './source-directory.ts';
import { systemError } from './system-error.ts';
import { openTarget } from './target.ts';

export type StagingOptions = {
  /** Absolute; made with 0700 when it is missing. */
  readonly parent: string;
  /** Left free on its file system: others live there, too. */
  readonly reserveBytes: number;
};

/** What a file takes beside its content: an inode, a directory entry, half a block. */
const fileOverhead = 4 * KiB;

/** Staging areas below a directory. What drills of processes that are gone have left there is removed first. */
export function stagingAreas({ parent, reserveBytes }: StagingOptions): StagingAreas {
  const root = resolve(parent);
  return {
    open: async ({ bytes, files }) => {
      try {
        mkdirSync(root, { recursive: true, mode: 0o700 });
        removeLeftOvers(root);
      } catch (error) {
        throw systemError(error, `make the staging directory ${root}`);
      }
      requireSpace(root, bytes + files * fileOverhead, reserveBytes);
      const place = join(root, `drill-${process.pid}-${randomBytes(6).toString('hex')}`);
      const path = join(place, 'files');
      try {
        mkdirSync(place, { mode: 0o700 });
        return new FsStagingArea(
          place,
          path,
          await openTarget(utf8(path), { allowNonEmpty: false }),
        );
      } catch (error) {
        throw systemError(error, `make the staging area ${place}`);
      }
    },
  };
}

function requireSpace(root: string, bytes: number, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  if (free >= bytes + reserveBytes) return;
  throw new HoldfastError(
    'disk-full',
    `the drill needs ${formatSize(bytes)} below ${root}, where ${formatSize(free)} are free and ${formatSize(reserveBytes)} must stay so`,
    { next: 'stage it on another disk (--staging DIR), or restore a part (--sample 1GiB)' },
  );
}

/** A process that was killed cannot tidy up. */
function removeLeftOvers(root: string): void {
  for (const name of readdirSync(root)) {
    const pid = Number(/^drill-(\d+)-[0-9a-f]{12}$/.exec(name)?.[1]);
    if (Number.isNaN(pid) || isRunning(pid)) continue;
    rmSync(join(root, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

class FsStagingArea implements StagingArea {
  readonly path: string;
  readonly target: RestoreTarget;
  readonly #place: string;
  #isKept = false;

  constructor(place: string, path: string, target: RestoreTarget) {
    this.#place = place;
    this.path = path;
    this.target = target;
  }

  async look(): Promise<SourceDirectory> {
    return new FsSourceDirectory(
      DirectoryHandle.open(utf8(this.path), { followLast: false }),
      listHere,
    );
  }

  facts(directory: SourceDirectory, name: Uint8Array): FileFacts | undefined {
    assert(directory instanceof FsSourceDirectory, 'a directory of this staging area');
    try {
      const stats = statOf(directory.handle.child(name));
      return stats === undefined ? undefined : factsOf(stats);
    } catch (error) {
      throw systemError(error, 'look at a restored file');
    }
  }

  async read(directory: SourceDirectory, name: Uint8Array): Promise<StagedFile> {
    assert(directory instanceof FsSourceDirectory, 'a directory of this staging area');
    try {
      return new FsStagedFile(await open(directory.handle.child(name), fileFlags));
    } catch (error) {
      throw systemError(error, 'open a restored file');
    }
  }

  keep(): void {
    this.#isKept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.target[Symbol.asyncDispose]();
    if (this.#isKept) return;
    try {
      await rm(this.#place, { recursive: true, force: true });
    } catch {
      // Restored directories may forbid their owner to empty them.
      openAll(this.#place);
      await rm(this.#place, { recursive: true, force: true });
    }
  }
}

function openAll(path: string): void {
  chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openAll(join(path, entry.name));
  }
}

class FsStagedFile implements StagedFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
