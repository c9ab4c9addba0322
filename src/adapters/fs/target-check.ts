import { opendirSync, statSync } from 'node:fs';
import { printable } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { statOf } from './file-facts.ts';
import { systemError } from './system-error.ts';

export type TargetOptions = {
  /** Restore into a directory that already holds something. */
  readonly allowNonEmpty: boolean;
};

/**
 * Whether a restore may write below this absolute path; changes nothing.
 * @throws HoldfastError unsafe-target, with the reason and what to do instead
 */
export function checkTarget(path: Uint8Array, options: TargetOptions): void {
  if (path[0] !== slash || path.includes(0)) {
    throw unsafe(
      path,
      'it is not an absolute path',
      'name a directory with a path that begins with /',
    );
  }
  const bare = bareTargetPath(path);
  try {
    checkStanding(bare, options);
  } catch (error) {
    throw systemError(error, `look at the restore target ${printable(bare)}`);
  }
}

function checkStanding(path: Buffer, { allowNonEmpty }: TargetOptions): void {
  const stats = statOf(path);
  if (stats === undefined) return;
  if (stats.isSymbolicLink()) {
    throw unsafe(path, 'it is a symbolic link', 'name the directory that the link leads to');
  }
  if (!stats.isDirectory()) {
    throw unsafe(path, 'it is not a directory', 'name a new directory');
  }
  const root = statSync('/', { bigint: true });
  if (stats.dev === root.dev && stats.ino === root.ino) {
    throw unsafe(
      path,
      'it is the root of this system',
      'restore into a new directory, then move what is wanted',
    );
  }
  const names = firstNames(path);
  // Its presence is all that can be known from here: the server may run in another container.
  if (statOf(Buffer.concat([path, Buffer.from('/postmaster.pid')])) !== undefined) {
    throw unsafe(
      path,
      'a PostgreSQL server uses it (postmaster.pid)',
      'stop PostgreSQL, or remove postmaster.pid if no server is left; or name a new directory',
    );
  }
  if (!allowNonEmpty && names.some((name) => name !== 'lost+found')) {
    throw unsafe(
      path,
      'it is not empty',
      'name a new directory; with the kit, --allow-non-empty goes on in this one',
    );
  }
}

// Two names decide: a fresh file system has lost+found alone.
function firstNames(path: Buffer): string[] {
  const directory = opendirSync(path, { encoding: 'latin1' });
  try {
    return [directory.readSync()?.name, directory.readSync()?.name].filter(
      (name) => name !== undefined,
    );
  } finally {
    directory.closeSync();
  }
}

function unsafe(path: Uint8Array, reason: string, next: string): HoldfastError {
  const place = printable(path);
  return new HoldfastError('unsafe-target', `cannot restore into ${place}: ${reason}`, {
    next,
    details: { target: place },
  });
}

const slash = 0x2f;

/** Without slashes at the end: they would make the last component followed if it is a link. */
export function bareTargetPath(path: Uint8Array): Buffer {
  let end = path.length;
  while (end > 1 && path[end - 1] === slash) end--;
  return Buffer.from(path.subarray(0, end));
}
