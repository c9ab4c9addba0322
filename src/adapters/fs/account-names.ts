import { readFileSync } from 'node:fs';

/** Names of users and groups as this host's own files give them. */
export class AccountNames {
  readonly #users = namesIn('/etc/passwd');
  readonly #groups = namesIn('/etc/group');

  /** Empty when the host does not know the user. */
  user(uid: number): string {
    return this.#users.get(uid) ?? '';
  }

  group(gid: number): string {
    return this.#groups.get(gid) ?? '';
  }
}

// passwd(5) and group(5): name:password:id:...; the first line of an id counts, as in getpwuid.
function namesIn(path: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of textOf(path).split('\n')) {
    const [name, , id] = line.split(':');
    if (!name || id === undefined || !/^\d+$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

// A container may have neither file; names only help people, the numbers are what is restored.
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
