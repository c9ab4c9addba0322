import { type BigIntStats, closeSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { compare, equal, printable } from '../../base/bytes.ts';
import { Turn } from '../../base/turn.ts';
import { KiB, MiB } from '../../base/units.ts';
import { kindOf, type Xattr } from '../../core/format/tree.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { statOf, statOfFd } from './file-facts.ts';
import { fileFlags, openQuietly } from './quiet-open.ts';
import { threadTime } from './thread-time.ts';
import { readXattrs } from './xattrs.ts';

// Says whether a restore brought everything back. It reads both trees itself and shares with the adapters only the
// way to reach a file, so that it does not repeat their mistakes.

/** Differences named; the rest is counted. */
const differencesMax = 500;
/** Blocks that b may have more than a: metadata blocks and extent alignment of another file system. */
const sparseSlack = 256n * 1024n;

/**
 * Compares two directories, themselves and all below: kinds, modes, owners, modification times to the nanosecond,
 * sizes, content, link targets, device numbers, extended attributes with ACLs, hard links, and that holes of a are
 * not filled in b. Links are not followed.
 * @returns one sentence per difference, beginning with the path; empty when the trees are the same.
 */
export async function compareTrees(a: string, b: string): Promise<string[]> {
  const comparison = new Comparison();
  const first = DirectoryHandle.open(Buffer.from(a), { followLast: true });
  try {
    const second = DirectoryHandle.open(Buffer.from(b), { followLast: true });
    try {
      await comparison.directories({ a: first, b: second, path: '.' });
    } finally {
      second.close();
    }
  } finally {
    first.close();
  }
  return comparison.result();
}

type Pair<T> = { readonly a: T; readonly b: T; readonly path: string };

class Comparison {
  readonly #differences: string[] = [];
  #count = 0;
  readonly #turn = new Turn(threadTime);
  /** Which inode of the one tree stands for which of the other; a hard link is right when both agree. */
  readonly #links = { a: new Map<string, string>(), b: new Map<string, string>() };
  readonly #buffers = { a: Buffer.alloc(MiB), b: Buffer.alloc(MiB) };

  result(): string[] {
    const unnamed = this.#count - this.#differences.length;
    return unnamed > 0 ? [...this.#differences, `and ${unnamed} more`] : this.#differences;
  }

  async directories({ a, b, path }: Pair<DirectoryHandle>): Promise<void> {
    this.#metadata({ a: statOfFd(a.fd), b: statOfFd(b.fd), path });
    this.#xattrs({ a: a.self(), b: b.self(), path });
    const names = { a: namesOf(a), b: namesOf(b) };
    for (const [text, name] of names.b) {
      if (!names.a.has(text)) this.#differ(`${path}/${printable(name)}`, 'is only in the second');
    }
    for (const [text, name] of names.a) {
      if (this.#turn.isOver) await this.#turn.end();
      const entryPath = `${path}/${printable(name)}`;
      if (names.b.has(text)) await this.#entries({ a, b, path: entryPath }, name);
      else this.#differ(entryPath, 'is only in the first');
    }
  }

  async #entries({ a, b, path }: Pair<DirectoryHandle>, name: Buffer): Promise<void> {
    const paths = { a: a.child(name), b: b.child(name), path };
    const stats = { a: statOf(paths.a), b: statOf(paths.b), path };
    if (stats.a === undefined || stats.b === undefined) {
      this.#differ(path, 'vanished while comparing');
      return;
    }
    const kinds = { a: kindOf(Number(stats.a.mode)), b: kindOf(Number(stats.b.mode)) };
    if (kinds.a !== kinds.b) {
      this.#differ(path, `kind ${kinds.a} became ${kinds.b}`);
      return;
    }
    if (kinds.a === 'directory') {
      await this.#subdirectories({ a, b, path }, name);
      return;
    }
    const found = { a: stats.a, b: stats.b, path };
    this.#metadata(found);
    this.#hardLinks(found);
    this.#xattrs(paths);
    if (kinds.a === 'file') this.#content(paths, found);
    if (kinds.a === 'symlink') this.#linkTargets(paths);
    if (found.a.rdev !== found.b.rdev) {
      this.#differ(path, `device ${found.a.rdev} became ${found.b.rdev}`);
    }
  }

  async #subdirectories({ a, b, path }: Pair<DirectoryHandle>, name: Buffer): Promise<void> {
    const inA = a.enter(name);
    try {
      const inB = b.enter(name);
      try {
        await this.directories({ a: inA, b: inB, path });
      } finally {
        inB.close();
      }
    } finally {
      inA.close();
    }
  }

  #metadata({ a, b, path }: Pair<BigIntStats>): void {
    if (a.mode !== b.mode)
      this.#differ(path, `mode ${a.mode.toString(8)} became ${b.mode.toString(8)}`);
    if (a.uid !== b.uid) this.#differ(path, `user ${a.uid} became ${b.uid}`);
    if (a.gid !== b.gid) this.#differ(path, `group ${a.gid} became ${b.gid}`);
    if (a.mtimeNs !== b.mtimeNs) this.#differ(path, `mtime ${a.mtimeNs} ns became ${b.mtimeNs} ns`);
  }

  #hardLinks({ a, b, path }: Pair<BigIntStats>): void {
    if (a.nlink === 1n && b.nlink === 1n) return;
    const keys = { a: `${a.dev}:${a.ino}`, b: `${b.dev}:${b.ino}` };
    const expected = this.#links.a.get(keys.a) ?? keys.b;
    const claimed = this.#links.b.get(keys.b) ?? keys.a;
    if (expected !== keys.b) this.#differ(path, 'is no longer a hard link to the same file');
    if (claimed !== keys.a) this.#differ(path, 'became a hard link to another file');
    if (!this.#links.a.has(keys.a)) this.#links.a.set(keys.a, keys.b);
    if (!this.#links.b.has(keys.b)) this.#links.b.set(keys.b, keys.a);
  }

  #xattrs({ a, b, path }: Pair<Buffer>): void {
    const read = { a: attributesOf(readXattrs(a)), b: attributesOf(readXattrs(b)) };
    for (const [name, value] of read.a) {
      const other = read.b.get(name);
      if (other === undefined) this.#differ(path, `extended attribute ${name} is missing`);
      else if (!equal(value, other)) this.#differ(path, `extended attribute ${name} differs`);
    }
    for (const name of read.b.keys()) {
      if (!read.a.has(name)) this.#differ(path, `extended attribute ${name} was added`);
    }
  }

  #linkTargets({ a, b, path }: Pair<Buffer>): void {
    const targets = {
      a: readlinkSync(a, { encoding: 'buffer' }),
      b: readlinkSync(b, { encoding: 'buffer' }),
    };
    if (!targets.a.equals(targets.b)) {
      this.#differ(path, `link to ${printable(targets.a)} became ${printable(targets.b)}`);
    }
  }

  #content(paths: Pair<Buffer>, { a, b, path }: Pair<BigIntStats>): void {
    if (a.size !== b.size) {
      this.#differ(path, `size ${a.size} became ${b.size}`);
      return;
    }
    if (a.size > 0n) this.#bytes(paths);
    const isSparse = a.blocks * 512n + 64n * BigInt(KiB) <= a.size;
    if (isSparse && b.blocks > a.blocks + sparseSlack / 512n) {
      this.#differ(path, `holes were filled: ${a.blocks} blocks became ${b.blocks}`);
    }
  }

  #bytes({ a, b, path }: Pair<Buffer>): void {
    const fds = { a: openQuietly(a, fileFlags), b: -1 };
    try {
      fds.b = openQuietly(b, fileFlags);
      for (let position = 0; ; ) {
        const count = fill(fds.a, this.#buffers.a, position);
        const other = fill(fds.b, this.#buffers.b, position);
        if (!this.#buffers.a.subarray(0, count).equals(this.#buffers.b.subarray(0, other))) {
          this.#differ(path, `content differs after byte ${position}`);
          return;
        }
        if (count < this.#buffers.a.length) return;
        position += count;
      }
    } finally {
      closeSync(fds.a);
      if (fds.b >= 0) closeSync(fds.b);
    }
  }

  #differ(path: string, what: string): void {
    this.#count++;
    if (this.#differences.length < differencesMax) this.#differences.push(`${path}: ${what}`);
  }
}

/** By latin1 text, which keeps every byte. */
function namesOf(directory: DirectoryHandle): Map<string, Buffer> {
  const names = readdirSync(directory.self(), { encoding: 'buffer' }).sort(compare);
  return new Map(names.map((name) => [name.toString('latin1'), name]));
}

function attributesOf(xattrs: readonly Xattr[]): Map<string, Uint8Array> {
  return new Map(xattrs.map(({ name, value }) => [Buffer.from(name).toString(), value]));
}

function fill(fd: number, buffer: Buffer, position: number): number {
  let got = 0;
  while (got < buffer.length) {
    const count = readSync(fd, buffer, got, buffer.length - got, position + got);
    if (count === 0) break;
    got += count;
  }
  return got;
}
