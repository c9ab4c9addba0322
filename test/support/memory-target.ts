import { setImmediate } from 'node:timers/promises';
import { assert } from '../../src/base/assert.ts';
import { concat, fromUtf8, printable } from '../../src/base/bytes.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { kindOf, type TreeEntry } from '../../src/core/format/tree.ts';
import type {
  Overwrite,
  RestoreTarget,
  TargetDirectory,
  TargetFile,
  TargetProblem,
} from '../../src/ports/target.ts';

export type MemoryFile = { readonly entry: TreeEntry; readonly content: Uint8Array };

type Inode =
  | { readonly kind: 'file'; readonly file: MemoryFile }
  | { readonly kind: 'directory'; readonly children: Map<string, Inode>; finished?: TreeEntry };

/** A restore target in memory that remembers what was done to it. */
export class MemoryTarget implements RestoreTarget {
  readonly tree: Inode & { kind: 'directory' } = { kind: 'directory', children: new Map() };
  readonly root: TargetDirectory;
  /** Names of directories in the order in which they were finished. */
  readonly finished: string[] = [];
  /** How many times a file was created piece by piece. */
  pieces = 0;
  openDirectories = 0;
  mostOpenDirectories = 0;
  abandoned = 0;
  /** Small files are written after their turn, and not in the order in which they came. */
  isSlow = false;
  underWay = 0;
  mostUnderWay = 0;
  /** Bytes until the disk is full. */
  room = Number.POSITIVE_INFINITY;
  /** What happens when something is written under this name. */
  readonly refusals = new Map<string, HoldfastError>();

  constructor() {
    this.root = new MemoryDirectory(this, this.tree);
  }

  /** Every path, '/' at the end of directories, in order. */
  paths(): string[] {
    const paths: string[] = [];
    const visit = (at: Inode & { kind: 'directory' }, path: string): void => {
      for (const [name, inode] of at.children) {
        paths.push(inode.kind === 'directory' ? `${path}${name}/` : path + name);
        if (inode.kind === 'directory') visit(inode, `${path}${name}/`);
      }
    };
    visit(this.tree, '/');
    return paths.sort();
  }

  file(path: string): MemoryFile | undefined {
    let at: Inode | undefined = this.tree;
    for (const name of path.split('/').filter((part) => part !== '')) {
      at = at?.kind === 'directory' ? at.children.get(name) : undefined;
    }
    return at?.kind === 'file' ? at.file : undefined;
  }

  /** Three turns of the event loop later, or two, or one. */
  async later<T>(write: () => T): Promise<T> {
    this.underWay++;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    const turns = 3 - (this.mostUnderWay % 3);
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    this.underWay--;
    return write();
  }

  take(bytes: number): void {
    this.room -= bytes;
    if (this.room < 0) throw new HoldfastError('disk-full', 'the disk is full');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class MemoryDirectory implements TargetDirectory {
  readonly #target: MemoryTarget;
  readonly #inode: Inode & { kind: 'directory' };
  #isOpen = true;

  constructor(target: MemoryTarget, inode: Inode & { kind: 'directory' }) {
    this.#target = target;
    this.#inode = inode;
    target.openDirectories++;
    target.mostOpenDirectories = Math.max(target.mostOpenDirectories, target.openDirectories);
  }

  async enter(entry: TreeEntry): Promise<TargetDirectory> {
    const name = this.#name(entry);
    const known = this.#inode.children.get(name) ?? { kind: 'directory', children: new Map() };
    if (known.kind !== 'directory') throw new HoldfastError('unsafe-target', `${name} is a file`);
    this.#inode.children.set(name, known);
    return new MemoryDirectory(this.#target, known);
  }

  check(entry: TreeEntry, overwrite: Overwrite): 'write' | 'same' | 'skip' {
    const standing = this.#inode.children.get(this.#name(entry));
    if (standing?.kind !== 'file' || overwrite === 'always') return 'write';
    const before = standing.file.entry;
    if (before.size === entry.size && before.mtimeNs === entry.mtimeNs) return 'same';
    return overwrite === 'never' ? 'skip' : 'write';
  }

  writeFile(
    entry: TreeEntry,
    content: Uint8Array,
  ): readonly TargetProblem[] | Promise<readonly TargetProblem[]> {
    assert(content.length === entry.size, 'whole files have their size');
    const copy = content.slice();
    const write = (): readonly TargetProblem[] => {
      this.#target.take(copy.length);
      return this.#put(entry, copy);
    };
    return this.#target.isSlow ? this.#target.later(write) : write();
  }

  createFile(entry: TreeEntry): TargetFile {
    this.#target.pieces++;
    const content = new Uint8Array(entry.size);
    return {
      write: async (offset, bytes) => {
        this.#target.take(bytes.length);
        content.set(bytes, offset);
      },
      finish: async () => this.#put(entry, content),
      abandon: async () => {
        this.#target.abandoned++;
      },
    };
  }

  writeSpecial(entry: TreeEntry): readonly TargetProblem[] {
    assert(kindOf(entry.mode) !== 'file' && kindOf(entry.mode) !== 'directory', 'a special file');
    return this.#put(entry, new Uint8Array(0));
  }

  writeLink(
    entry: TreeEntry,
    original: { directory: TargetDirectory; name: Uint8Array },
  ): readonly TargetProblem[] {
    assert(original.directory instanceof MemoryDirectory, 'a directory of this target');
    assert(original.directory.#isOpen, 'the original is reached through an open directory');
    const inode = original.directory.#inode.children.get(textOf(original.name));
    assert(inode !== undefined, 'the original was restored before');
    this.#inode.children.set(this.#name(entry), inode);
    return [];
  }

  finish(entry: TreeEntry): readonly TargetProblem[] {
    assert(this.#isOpen, 'finished while open');
    this.#inode.finished = entry;
    this.#target.finished.push(textOf(entry.name));
    return [];
  }

  #put(entry: TreeEntry, content: Uint8Array): readonly TargetProblem[] {
    this.#inode.children.set(this.#name(entry), { kind: 'file', file: { entry, content } });
    return [];
  }

  #name(entry: TreeEntry): string {
    assert(this.#isOpen, 'used while open');
    const name = textOf(entry.name);
    const refusal = this.#target.refusals.get(name);
    if (refusal !== undefined) throw refusal;
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assert(this.#isOpen, 'closed once');
    this.#isOpen = false;
    this.#target.openDirectories--;
  }
}

function textOf(name: Uint8Array): string {
  return fromUtf8(name) ?? printable(concat([name]));
}
