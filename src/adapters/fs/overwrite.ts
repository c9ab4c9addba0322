import { type BigIntStats, readlinkSync } from 'node:fs';
import { equal } from '../../base/bytes.ts';
import { kindOf, type TreeEntry } from '../../core/format/tree.ts';
import type { Overwrite } from '../../ports/target.ts';
import { statOf } from './file-facts.ts';

/** What to do with what stands at the path of an entry. Content is not read: size and mtime stand for it. */
export function decideOverwrite(
  path: Buffer,
  entry: TreeEntry,
  overwrite: Overwrite,
): 'write' | 'same' | 'skip' {
  // Whatever stands there: looking would cost a system call a file.
  if (overwrite === 'always') return 'write';
  const standing = statOf(path);
  if (standing === undefined) return 'write';
  if (isSame(path, standing, entry)) return 'same';
  if (overwrite === 'never') return 'skip';
  if (overwrite === 'if-changed') return 'write';
  return entry.mtimeNs > standing.mtimeNs ? 'write' : 'skip';
}

function isSame(path: Buffer, standing: BigIntStats, entry: TreeEntry): boolean {
  if (Number(standing.mode) !== entry.mode) return false;
  if (standing.mtimeNs !== entry.mtimeNs) return false;
  // Only root could make the owner right, so for others a wrong one is no difference.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot && (Number(standing.uid) !== entry.uid || Number(standing.gid) !== entry.gid))
    return false;
  switch (kindOf(entry.mode)) {
    case 'file':
      return standing.size === BigInt(entry.size);
    case 'symlink':
      return equal(readlinkSync(path, { encoding: 'buffer' }), entry.target ?? new Uint8Array());
    case 'character':
    case 'block':
      return standing.rdev === entry.rdev;
    case 'directory':
    case 'fifo':
    case 'socket':
    case undefined:
      return true;
  }
}
