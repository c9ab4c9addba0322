import { chmodSync, closeSync, constants, fchmodSync, lchownSync, openSync } from 'node:fs';
import { kindOf, type TreeEntry } from '../../core/format/tree.ts';
import type { TargetProblem } from '../../ports/target.ts';
import { setTimes, setTimesOf } from './native.ts';
import { errnoOf } from './system-error.ts';
import { writeXattrs } from './xattrs.ts';

/** O_PATH of Linux, which node:fs does not name: holds any node without opening what it stands for. */
const O_PATH = 0o10000000;

export type Owner = { readonly uid: number; readonly gid: number };

/** What a node gets besides its content. */
export type Metadata = Pick<TreeEntry, 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'>;

/** What a new file has from its start: of the process, its directory and the file system. */
export type Inherited = Owner & { readonly hasXattrs: boolean };

/** What another user, file system or container would allow; everything else ends the restore. */
const refusals = new Set(['EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** True for a failure that is reported as a problem of one file. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(errnoOf(error) ?? '');
}

/**
 * Owner, attributes, mode and times, in the order that keeps all of them: a change of owner clears setuid bits and
 * capabilities, so it comes first; a change of mode rewrites the ACL's mask to the value that the ACL itself once
 * gave the mode, so attributes before mode come out exactly; times last. The access time, which no backup holds,
 * becomes the time of modification. Links are not followed; files and directories give their descriptor too.
 */
export function applyMetadata(
  node: {
    readonly path: Buffer;
    readonly fd?: number;
    /** What it has already, where that is known. */
    readonly inherited?: Inherited;
  },
  entry: Metadata,
): TargetProblem[] {
  const problems: TargetProblem[] = [];
  const attempt = (what: string, change: () => void): void => {
    try {
      change();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      problems.push({ what: `${what} not set (${errnoOf(error)})` });
    }
  };
  const { path, fd, inherited } = node;
  if (inherited?.uid !== entry.uid || inherited.gid !== entry.gid) {
    attempt(`owner ${entry.uid}:${entry.gid}`, () => lchownSync(path, entry.uid, entry.gid));
  }
  if (entry.xattrs.length > 0 || inherited?.hasXattrs !== false) {
    for (const what of writeXattrs(path, entry.xattrs)) problems.push({ what });
  }
  if (kindOf(entry.mode) !== 'symlink') {
    const mode = entry.mode & 0o7777;
    attempt(`mode ${mode.toString(8)}`, () =>
      fd === undefined ? changeNodeMode(path, mode) : fchmodSync(fd, mode),
    );
  }
  attempt('time', () =>
    fd === undefined ? setTimes(path, entry.mtimeNs) : setTimesOf(fd, entry.mtimeNs),
  );
  return problems;
}

// chmod follows links and there is no lchmod: the node is held first, so that it cannot be another one.
function changeNodeMode(path: Buffer, mode: number): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}
