import { assert } from '../../src/base/assert.ts';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import type { FileFacts } from '../../src/ports/source.ts';

export type Inode = {
  readonly number: bigint;
  mode: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  linkCount: number;
  /** Of files: begins with a hole of this many zeros. */
  holeSize: number;
  content: Uint8Array;
  /** Of links. */
  target: Uint8Array | undefined;
  /** Of directories. */
  readonly children: Map<string, Inode> | undefined;
};

const fileType = 0o100000;
const directoryType = 0o040000;
const linkType = 0o120000;

/** What a restore must show of an entry, as one text: everything that makes it what it is. */
export type Face = string;

/** A file system in memory, which remembers what every path has looked like and when. */
export class SimTree {
  readonly root: Inode;
  readonly #nowNs: () => bigint;
  readonly #faces = new Map<string, { readonly from: number; readonly face: Face | undefined }[]>();
  #inodes = 1n;
  /** Grows with each change. */
  #count = 0;

  /** `nowNs`: by the clock of the host, as coarse as its kernel's. */
  constructor(nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.root = this.#inode(directoryType | 0o755, new Map());
    this.makeDirectory('/data');
  }

  #inode(mode: number, children?: Map<string, Inode>): Inode {
    const nowNs = this.#nowNs();
    return {
      number: this.#inodes++,
      mode,
      mtimeNs: nowNs,
      ctimeNs: nowNs,
      linkCount: 1,
      holeSize: 0,
      content: new Uint8Array(0),
      target: undefined,
      children,
    };
  }

  /** Changes until now. */
  get version(): number {
    return this.#count;
  }

  find(path: string): Inode | undefined {
    let at: Inode | undefined = this.root;
    for (const name of path.split('/').slice(1)) at = at?.children?.get(name);
    return at;
  }

  /** Every path of one kind, in order. */
  paths(kind: 'file' | 'directory'): string[] {
    const found: string[] = [];
    const visit = (at: Inode, path: string): void => {
      for (const [name, child] of [...(at.children ?? [])].sort()) {
        const isDirectory = child.children !== undefined;
        const isFile = !isDirectory && child.target === undefined;
        if (kind === 'directory' ? isDirectory : isFile) found.push(`${path}/${name}`);
        if (isDirectory) visit(child, `${path}/${name}`);
      }
    };
    visit(this.root, '');
    return found;
  }

  makeDirectory(path: string): void {
    this.#put(path, this.#inode(directoryType | 0o755, new Map()));
  }

  writeLink(path: string, target: string): void {
    const inode = this.#inode(linkType | 0o777);
    inode.target = utf8(target);
    this.#put(path, inode);
  }

  /** Creates a file, or changes what it holds. */
  write(path: string, content: Uint8Array, holeSize = 0): void {
    const known = this.find(path);
    const inode = known ?? this.#inode(fileType | 0o644);
    inode.content = content;
    inode.holeSize = holeSize;
    inode.mtimeNs = this.#nowNs();
    inode.ctimeNs = this.#nowNs();
    if (known === undefined) this.#put(path, inode);
    else this.#touched(path);
  }

  changeMode(path: string, permissions: number): void {
    const inode = this.#get(path);
    inode.mode = (inode.mode & 0o170000) | permissions;
    inode.ctimeNs = this.#nowNs();
    this.#touched(path);
  }

  remove(path: string): void {
    const { parent, name } = this.#parent(path);
    parent.children?.delete(name);
    this.#changedDirectory(path, parent);
    this.#forget(path);
  }

  rename(from: string, to: string): void {
    const inode = this.#get(from);
    this.remove(from);
    inode.ctimeNs = this.#nowNs();
    this.#put(to, inode);
  }

  #put(path: string, inode: Inode): void {
    const { parent, name } = this.#parent(path);
    parent.children?.set(name, inode);
    this.#changedDirectory(path, parent);
    this.#touchedBelow(path, inode);
  }

  #changedDirectory(path: string, parent: Inode): void {
    parent.mtimeNs = this.#nowNs();
    parent.ctimeNs = this.#nowNs();
    this.#touched(path.slice(0, path.lastIndexOf('/')));
  }

  #get(path: string): Inode {
    const inode = this.find(path);
    assert(inode !== undefined, 'a path of the workload is there');
    return inode;
  }

  #parent(path: string): { parent: Inode; name: string } {
    const end = path.lastIndexOf('/');
    return {
      parent: end === 0 ? this.root : this.#get(path.slice(0, end)),
      name: path.slice(end + 1),
    };
  }

  #touchedBelow(path: string, inode: Inode): void {
    this.#touched(path);
    for (const [name, child] of inode.children ?? []) this.#touchedBelow(`${path}/${name}`, child);
  }

  #touched(path: string): void {
    const inode = path === '' ? this.root : this.find(path);
    this.#note(path, inode === undefined ? undefined : faceOf(inode));
  }

  #forget(path: string): void {
    for (const known of this.#faces.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#note(known, undefined);
    }
  }

  #note(path: string, face: Face | undefined): void {
    const faces = this.#faces.get(path) ?? [];
    faces.push({ from: ++this.#count, face });
    this.#faces.set(path, faces);
  }

  /** For each path, what it may have looked like to somebody who looked between two versions. */
  faces(from: number, to: number): Map<string, ReadonlySet<Face | undefined>> {
    const seen = new Map<string, ReadonlySet<Face | undefined>>();
    for (const [path, faces] of this.#faces) {
      const before = faces.findLast((one) => one.from <= from)?.face;
      const later = faces.filter((one) => one.from > from && one.from <= to);
      seen.set(path, new Set([before, ...later.map(({ face }) => face)]));
    }
    return seen;
  }
}

export function factsOf(inode: Inode): FileFacts {
  const { mode, mtimeNs, ctimeNs, number: inodeNumber, linkCount, content, target } = inode;
  const size = target?.length ?? content.length;
  const owner = { uid: 1000, gid: 1000, device: 1n, rdev: 0n };
  return { ...owner, mode, size, mtimeNs, ctimeNs, inode: inodeNumber, linkCount };
}

function faceOf({ mode, mtimeNs, content, target }: Inode): Face {
  return faceText({ mode, mtimeNs, content, target });
}

/** A directory's time changes with each entry, which may be written before or after it was looked at. */
export function faceText(entry: {
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly content: Uint8Array;
  readonly target: Uint8Array | undefined;
}): Face {
  const mode = entry.mode.toString(8);
  const target = entry.target === undefined ? '' : toHex(entry.target);
  return `${mode} ${entry.mtimeNs} ${target} ${entry.content.length} ${toHex(hash('leaf', entry.content))}`;
}
