import { closeSync, constants } from 'node:fs';
import { assert } from '../../base/assert.ts';
import { directoryFlags, openQuietly } from './quiet-open.ts';

/**
 * An open directory, shared by all that reach files through it. Children are named `/proc/self/fd/<fd>/<name>`:
 * the kernel starts at the directory itself, so depth, renames and swapped links above it do not matter.
 * Worker threads see the same descriptors. The descriptor stays open until the last user lets go: a number that
 * was reused meanwhile would lead into a stranger's directory.
 */
export class DirectoryHandle {
  readonly #fd: number;
  readonly #prefix: Buffer;
  #userCount = 1;
  #isReleased = false;

  private constructor(fd: number) {
    this.#fd = fd;
    this.#prefix = Buffer.from(`/proc/self/fd/${fd}/`);
  }

  /** Opens a path that a person named: links on the way are theirs, the last one too unless told. */
  static open(path: Uint8Array, options: { followLast: boolean }): DirectoryHandle {
    const flags = options.followLast ? directoryFlags : directoryFlags | constants.O_NOFOLLOW;
    return new DirectoryHandle(openQuietly(Buffer.from(path), flags));
  }

  /** Never follows a link. */
  enter(name: Uint8Array): DirectoryHandle {
    const flags = directoryFlags | constants.O_NOFOLLOW;
    return new DirectoryHandle(openQuietly(this.child(name), flags));
  }

  get fd(): number {
    assert(this.#userCount > 0, 'directory used after it was closed');
    return this.#fd;
  }

  /** What the paths of all entries begin with. */
  get prefix(): Uint8Array {
    assert(this.#userCount > 0, 'directory used after it was closed');
    return this.#prefix;
  }

  /** The path of one entry, for calls that do not follow a link in the last component. */
  child(name: Uint8Array): Buffer {
    assert(this.#userCount > 0, 'directory used after it was closed');
    assert(isEntryName(name), 'one path component');
    const path = Buffer.allocUnsafe(this.#prefix.length + name.length);
    path.set(this.#prefix);
    path.set(name, this.#prefix.length);
    return path;
  }

  /** The path of the directory itself, also for calls that do not follow links. */
  self(): Buffer {
    assert(this.#userCount > 0, 'directory used after it was closed');
    return Buffer.from(`/proc/self/fd/${this.#fd}/.`);
  }

  /** Keeps the directory open until the returned function is called, once. */
  retain(): () => void {
    assert(this.#userCount > 0, 'directory used after it was closed');
    this.#userCount++;
    let released = false;
    return () => {
      assert(!released, 'directory released twice');
      released = true;
      this.#drop();
    };
  }

  /** The opener's own release. */
  close(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#drop();
  }

  #drop(): void {
    this.#userCount--;
    if (this.#userCount === 0) closeSync(this.#fd);
  }
}

/** True for a name that stays in its directory. */
export function isEntryName(name: Uint8Array): boolean {
  if (name.length === 0 || name.includes(0x2f) || name.includes(0)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}
