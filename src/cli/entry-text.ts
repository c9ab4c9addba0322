import type { EntryReport } from '../agent/api.ts';
import { isoTime, pathFields } from './json-fields.ts';
import { clean, formatTime } from './terminal-text.ts';

const kindLetters: Readonly<Record<string, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  character: 'c',
  block: 'b',
};

/** One line as `ls -l` writes it. */
export function longLine(entry: EntryReport): string {
  const target = entry.target === undefined ? '' : ` -> ${clean(entry.target)}`;
  return [
    permissionsOf(entry),
    ownerOf(entry.user, entry.uid).padEnd(8),
    ownerOf(entry.group, entry.gid).padEnd(8),
    String(entry.size).padStart(12),
    formatTime(Number(BigInt(entry.mtimeNs) / 1_000_000n)),
    `${clean(entry.path)}${target}`,
  ].join(' ');
}

function ownerOf(name: string, id: number): string {
  return name === '' ? String(id) : clean(name);
}

/** "-rwsr-x--T": the type and the twelve bits of the mode. */
export function permissionsOf({ kind, mode }: { kind: string; mode: number }): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift;
    const isExecutable = (bits & 1) !== 0;
    const isSpecial = (mode & special) !== 0;
    const last = isSpecial
      ? isExecutable
        ? letter
        : letter.toUpperCase()
      : isExecutable
        ? 'x'
        : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  const type = kindLetters[kind] ?? '?';
  return type + triple(6, 0o4000, 's') + triple(3, 0o2000, 's') + triple(0, 0o1000, 't');
}

/** Names as in restic's scripts, and ours beside them. */
export function entryFields(entry: EntryReport): object {
  return {
    message_type: 'entry',
    name: entry.path.split('/').at(-1) ?? '',
    type: entry.kind,
    ...pathFields(entry),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    size: entry.size,
    mode: entry.mode,
    permissions: permissionsOf(entry),
    mtime: isoTime(entry.mtimeNs),
    ...(entry.target !== undefined && { linktarget: entry.target }),
  };
}
