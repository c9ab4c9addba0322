import { compare, equal } from '../base/bytes.ts';
import {
  type EntryKind,
  type Extent,
  kindOf,
  type TreeEntry,
  type Xattr,
} from '../core/format/tree.ts';
import type { Cancel } from '../ports/runtime.ts';
import { pathReport } from './path-report.ts';
import {
  joinPath,
  type Located,
  type SnapshotPath,
  type SnapshotReader,
  tooDeep,
  treeDepthMax,
} from './snapshot-reader.ts';

export type DiffReport = {
  change: 'added' | 'removed' | 'content' | 'metadata' | 'type';
  path: string;
  /** Set when `path` is not exactly the path's bytes. */
  pathBase64?: string;
};

/** The two entries of one name; one side may have none. */
type Pair = { readonly from: TreeEntry | undefined; readonly to: TreeEntry | undefined };

/** What changed from one snapshot to another below a path, in tree order; equal subtrees are not read. */
export function diffSnapshots(
  options: { from: SnapshotReader; to: SnapshotReader; path: SnapshotPath } & Cancel,
): AsyncGenerator<DiffReport> {
  return new Diff(options).run(options.path);
}

class Diff {
  readonly #from: SnapshotReader;
  readonly #to: SnapshotReader;
  readonly #cancel: Cancel;
  /** Chunk ids under different keys never agree, whatever they name. */
  readonly #idsCompare: boolean;

  constructor(options: { from: SnapshotReader; to: SnapshotReader } & Cancel) {
    const { from, to, signal } = options;
    this.#from = from;
    this.#to = to;
    this.#cancel = signal === undefined ? {} : { signal };
    this.#idsCompare = equal(from.root.idKey, to.root.idKey);
  }

  async *run(path: SnapshotPath): AsyncGenerator<DiffReport> {
    const from = await this.#from.resolve(path, this.#cancel);
    const to = await this.#to.resolve(path, this.#cancel);
    yield* this.#pair(path, { from, to });
  }

  async *#pair(path: SnapshotPath, { from, to }: Pair): AsyncGenerator<DiffReport> {
    this.#cancel.signal?.throwIfAborted();
    if (from === undefined || to === undefined) {
      if (from !== undefined) yield* this.#all('removed', this.#from, { path, entry: from });
      if (to !== undefined) yield* this.#all('added', this.#to, { path, entry: to });
      return;
    }
    if (kindOf(from.mode) !== kindOf(to.mode)) {
      yield report('type', path);
      yield* this.#below('removed', this.#from, { path, entry: from });
      yield* this.#below('added', this.#to, { path, entry: to });
      return;
    }
    if (!this.#hasSameContent(from, to)) yield report('content', path);
    else if (!hasSameMetadata(from, to)) yield report('metadata', path);
    if (kindOf(from.mode) !== 'directory') return;
    if (this.#idsCompare && sameIds(from.tree, to.tree)) return;
    if (path.length >= treeDepthMax) throw tooDeep(path);
    yield* this.#directories(path, from, to);
  }

  /** Both lists are sorted by name. */
  async *#directories(
    path: SnapshotPath,
    from: TreeEntry,
    to: TreeEntry,
  ): AsyncGenerator<DiffReport> {
    const left = this.#from.entries(from.tree, this.#cancel);
    const right = this.#to.entries(to.tree, this.#cancel);
    let a = await left.next();
    let b = await right.next();
    while (a.done !== true || b.done !== true) {
      const order = a.done ? 1 : b.done ? -1 : compare(a.value.name, b.value.name);
      const pair: Pair = {
        from: order <= 0 && !a.done ? a.value : undefined,
        to: order >= 0 && !b.done ? b.value : undefined,
      };
      const name = (pair.from ?? pair.to)?.name;
      if (name !== undefined) yield* this.#pair([...path, name], pair);
      if (order <= 0) a = await left.next();
      if (order >= 0) b = await right.next();
    }
  }

  async *#all(
    change: 'added' | 'removed',
    reader: SnapshotReader,
    at: Located,
  ): AsyncGenerator<DiffReport> {
    yield report(change, at.path);
    yield* this.#below(change, reader, at);
  }

  async *#below(
    change: 'added' | 'removed',
    reader: SnapshotReader,
    { path, entry }: Located,
  ): AsyncGenerator<DiffReport> {
    if (kindOf(entry.mode) !== 'directory') return;
    for await (const located of reader.walk(entry.tree, { path, ...this.#cancel })) {
      yield report(change, located.path);
    }
  }

  #hasSameContent(from: TreeEntry, to: TreeEntry): boolean {
    const kind: EntryKind | undefined = kindOf(from.mode);
    if (kind === 'symlink') return equal(from.target ?? nothing, to.target ?? nothing);
    if (kind !== 'file') return true;
    if (from.size !== to.size) return false;
    if (!this.#idsCompare) return from.mtimeNs === to.mtimeNs;
    return sameExtents(from.content, to.content) && sameIds(from.contentList, to.contentList);
  }
}

const nothing = new Uint8Array(0);

function hasSameMetadata(from: TreeEntry, to: TreeEntry): boolean {
  const isDirectory = kindOf(from.mode) === 'directory';
  return (
    from.mode === to.mode &&
    from.uid === to.uid &&
    from.gid === to.gid &&
    from.user === to.user &&
    from.group === to.group &&
    from.rdev === to.rdev &&
    // A directory's time changes with every name in it, which is reported by itself.
    (isDirectory || from.mtimeNs === to.mtimeNs) &&
    sameXattrs(from.xattrs, to.xattrs)
  );
}

function sameXattrs(a: readonly Xattr[], b: readonly Xattr[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, value }, i) => {
      const other = b[i];
      return other !== undefined && equal(name, other.name) && equal(value, other.value);
    })
  );
}

function sameExtents(a: readonly Extent[], b: readonly Extent[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ id, length }, i) => {
      const other = b[i];
      if (other === undefined || length !== other.length) return false;
      return id === undefined ? other.id === undefined : equal(id, other.id ?? nothing);
    })
  );
}

function sameIds(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((id, i) => equal(id, b[i] ?? nothing));
}

function report(change: DiffReport['change'], path: SnapshotPath): DiffReport {
  return { change, ...pathReport(joinPath(path)) };
}
