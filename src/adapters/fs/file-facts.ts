import { type BigIntStats, fstatSync, lstatSync } from 'node:fs';
import type { FileFacts } from '../../ports/source.ts';

/** What an lstat or fstat in bigints says: only they keep nanoseconds and large inode numbers. */
export function factsOf(stats: BigIntStats): FileFacts {
  return {
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: Number(stats.size),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    inode: stats.ino,
    device: stats.dev,
    rdev: stats.rdev,
    linkCount: Number(stats.nlink),
  };
}

/** Never follows a link; undefined when nothing is there. */
export function statOf(path: Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** The facts of an open file or directory. */
export function statOfFd(fd: number): BigIntStats {
  return fstatSync(fd, { bigint: true });
}
