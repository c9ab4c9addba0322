import { compare } from '../../base/bytes.ts';
import type { Xattr } from '../../core/format/tree.ts';
import { getXattr, getXattrOf, listXattrs, listXattrsOf, removeXattr, setXattr } from './native.ts';
import { errnoOf } from './system-error.ts';

const none: readonly Xattr[] = [];

// ENODATA and ENOENT: gone between listing and reading. The others: what this user or file system does not show.
const unreadable = new Set([
  'ENODATA',
  'ENOENT',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EPERM',
  'EACCES',
  'ERANGE',
]);

/**
 * All extended attributes of what stands at the path, sorted by name; POSIX ACLs are among them as
 * `system.posix_acl_access` and `system.posix_acl_default`. Empty where there are none or none may be seen.
 */
export function readXattrs(path: Uint8Array): readonly Xattr[] {
  return allOf(
    () => listXattrs(path),
    (name) => getXattr(path, name),
  );
}

/** The same of an open file. */
export function readXattrsOf(fd: number): readonly Xattr[] {
  return allOf(
    () => listXattrsOf(fd),
    (name) => getXattrOf(fd, name),
  );
}

function allOf(list: () => Buffer[], get: (name: Buffer) => Buffer): readonly Xattr[] {
  const names = orUndefined(list) ?? [];
  if (names.length === 0) return none;
  const xattrs: Xattr[] = [];
  for (const name of names.sort(compare)) {
    const value = orUndefined(() => get(name));
    if (value !== undefined) xattrs.push({ name, value });
  }
  return xattrs;
}

/** False only where it is certain that there are none. */
export function hasXattrs(path: Uint8Array): boolean {
  return orUndefined(() => listXattrs(path))?.length !== 0;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (unreadable.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** What a new file may have by inheritance (default ACLs), or an existing directory from before. */
const removable = /^(user\.|trusted\.|system\.posix_acl_|security\.capability$)/;

/** Makes the attributes those wanted, as far as permitted. @returns what was refused, one text each. */
export function writeXattrs(path: Uint8Array, wanted: readonly Xattr[]): string[] {
  const refused: string[] = [];
  const attempt = (name: Uint8Array, verb: string, change: () => void): void => {
    try {
      change();
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      refused.push(`extended attribute ${Buffer.from(name).toString()} not ${verb} (${errno})`);
    }
  };
  const keys = new Set(wanted.map((xattr) => textOf(xattr.name)));
  for (const name of orUndefined(() => listXattrs(path)) ?? []) {
    const key = textOf(name);
    if (keys.has(key) || !removable.test(key)) continue;
    attempt(name, 'removed', () => removeXattr(path, name));
  }
  for (const { name, value } of wanted) attempt(name, 'set', () => setXattr(path, name, value));
  return refused;
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1');
}
