import { compare, concat, equal, printable, utf8 } from '../base/bytes.ts';
import { KeyedHasher } from '../core/crypto/hash.ts';
import { HoldfastError } from '../core/errors.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import { IndexTable } from '../core/format/index-table.ts';
import type { BlobRef, Root } from '../core/format/records.ts';
import { decodeRoot } from '../core/format/root.ts';
import {
  decodeEntries,
  decodeExtents,
  type Extent,
  kindOf,
  type TreeEntry,
} from '../core/format/tree.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { FrameAhead, FrameReader } from './frame-reader.ts';
import type { SnapshotHead } from './statement-index.ts';

/** Names from the root of the snapshot down. */
export type SnapshotPath = readonly Uint8Array[];

export type Located = { readonly path: SnapshotPath; readonly entry: TreeEntry };

/** A chunk id repeated through a tree could make it endlessly deep; no file system holds one this deep. */
export const treeDepthMax = 4096;

/** Chunks of one list read ahead, in steps: far fewer than the frames that the cache keeps. */
const aheadStep = 8;

const slash = utf8('/');

/** The path as text bytes, beginning with a slash. */
export function joinPath(path: SnapshotPath): Uint8Array {
  if (path.length === 0) return slash;
  return concat(path.flatMap((name) => [slash, name]));
}

/** The names of a path; slashes more than needed and '.' do not count. @throws HoldfastError usage ('..') */
export function splitPath(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== slash[0]) continue;
    const name = path.subarray(start, at);
    start = at + 1;
    if (name.length === 0 || equal(name, utf8('.'))) continue;
    if (equal(name, utf8('..'))) {
      throw new HoldfastError('usage', `${printable(path)}: a path in a snapshot has no '..'`);
    }
    names.push(name);
  }
  return names;
}

/** One snapshot, opened: its tree and the content of its files, every chunk checked against its id. */
export class SnapshotReader {
  readonly manifest: SnapshotHead;
  readonly root: Root;
  readonly #frames: FrameReader;
  readonly #index: IndexTable;
  readonly #hasher: KeyedHasher;

  private constructor(parts: {
    manifest: SnapshotHead;
    root: Root;
    frames: FrameReader;
    index: IndexTable;
  }) {
    this.manifest = parts.manifest;
    this.root = parts.root;
    this.#frames = parts.frames;
    this.#index = parts.index;
    this.#hasher = new KeyedHasher(parts.root.idKey);
  }

  /**
   * Reads the root and the index segments. `manifest` must have been verified.
   * @throws HoldfastError too-few-shards | not-found | corrupt | wrong-key | bad-encoding
   */
  static async open(
    options: { manifest: SnapshotHead; frames: FrameReader } & Cancel,
  ): Promise<SnapshotReader> {
    const { manifest, frames, signal } = options;
    const cancel = signal === undefined ? {} : { signal };
    const root = decodeRoot(await readBlob(frames, manifest.root, cancel));
    const index = new IndexTable();
    for (const [i, segment] of root.index.entries()) {
      if (i % aheadStep === 0) {
        frames.prefetch(root.index.slice(i, i + 2 * aheadStep).map((one) => one.blob));
      }
      index.add(await readBlob(frames, segment.blob, cancel));
    }
    return new SnapshotReader({ manifest, root, frames, index });
  }

  /** The root directory as an entry without a name. */
  get rootEntry(): TreeEntry {
    return { ...emptyDirectory, tree: this.root.tree };
  }

  /** Where a chunk lies; undefined when the snapshot's index does not say. */
  find(id: Uint8Array): IndexRecord | undefined {
    return this.#index.find(id);
  }

  /** See FrameReader.retired. */
  retired(): () => void {
    return this.#frames.retired();
  }

  /** Begins to read frames whose chunks will be asked for soon. */
  prefetch(ahead: readonly FrameAhead[]): void {
    this.#frames.prefetch(ahead, this.root.idKey);
  }

  /**
   * The chunk's bytes, a view of a shared frame, and exactly those that the id names.
   * @throws HoldfastError too-few-shards | not-found | corrupt
   */
  async chunk(id: Uint8Array, options: Cancel = {}): Promise<Uint8Array> {
    const record = this.#index.find(id);
    if (record === undefined) {
      throw new HoldfastError('corrupt', 'the index of the snapshot lacks a chunk of it');
    }
    const frame = await this.#frames.opened(record, options);
    const bytes = frame.plain.subarray(record.offset, record.offset + record.length);
    const found = frame.idOf(record, this.root.idKey) ?? this.#hasher.hash(bytes);
    if (bytes.length !== record.length || !equal(found, id)) {
      throw new HoldfastError('corrupt', 'a chunk does not match its id', {
        details: { pack: record.pack, frame: record.frame },
      });
    }
    return bytes;
  }

  /** The entries of a directory's stream, in order of their names. */
  async *entries(tree: readonly Uint8Array[], options: Cancel = {}): AsyncGenerator<TreeEntry> {
    let before: Uint8Array | undefined;
    for await (const bytes of this.#chunks(tree, options)) {
      for (const entry of decodeEntries(bytes)) {
        if (before !== undefined && compare(before, entry.name) >= 0) {
          throw new HoldfastError('bad-encoding', 'the names of a directory do not ascend');
        }
        if (kindOf(entry.mode) === undefined) {
          const what = `${printable(entry.name)} has a type that no known system has`;
          throw new HoldfastError('bad-encoding', what);
        }
        before = entry.name;
        yield entry;
      }
    }
  }

  /** Chunks one after another, a bounded number of them read ahead. */
  async *#chunks(ids: readonly Uint8Array[], options: Cancel): AsyncGenerator<Uint8Array> {
    for (const [i, id] of ids.entries()) {
      if (ids.length > 1 && i % aheadStep === 0) {
        const soon = ids.slice(i, i + 2 * aheadStep);
        this.prefetch(soon.flatMap((next) => this.#index.find(next) ?? []));
      }
      yield await this.chunk(id, options);
    }
  }

  /** The entry at a path; the root directory for no names. @throws HoldfastError not-found */
  async resolve(path: SnapshotPath, options: Cancel = {}): Promise<TreeEntry> {
    let entry = this.rootEntry;
    for (const [depth, name] of path.entries()) {
      const found = await this.#child(entry, name, options);
      if (found === undefined) {
        const missing = printable(joinPath(path.slice(0, depth + 1)));
        throw new HoldfastError('not-found', `the snapshot has no ${missing}`, {
          next: `holdfast ls SNAPSHOT ${printable(joinPath(path.slice(0, depth)))}`,
        });
      }
      entry = found;
    }
    return entry;
  }

  async #child(
    parent: TreeEntry,
    name: Uint8Array,
    options: Cancel,
  ): Promise<TreeEntry | undefined> {
    for await (const entry of this.entries(parent.tree, options)) {
      const order = compare(entry.name, name);
      if (order === 0) return entry;
      if (order > 0) return undefined;
    }
    return undefined;
  }

  /**
   * Everything below a directory, depth first, a directory before its content. `path` stands before the
   * paths given out. `enters` decides for each directory whether its content is walked.
   * @throws HoldfastError limit-exceeded (deeper than treeDepthMax), and whatever reading a directory throws
   */
  async *walk(
    tree: readonly Uint8Array[],
    options: { path?: SnapshotPath; enters?: (at: Located) => boolean } & Cancel = {},
  ): AsyncGenerator<Located> {
    const stack = [{ path: options.path ?? [], entries: this.entries(tree, options) }];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const { done, value: entry } = await level.entries.next();
      if (done === true) {
        stack.pop();
        continue;
      }
      const located = { path: [...level.path, entry.name], entry };
      yield located;
      if (kindOf(entry.mode) !== 'directory' || options.enters?.(located) === false) continue;
      if (stack.length >= treeDepthMax) throw tooDeep(located.path);
      stack.push({ path: located.path, entries: this.entries(entry.tree, options) });
    }
  }

  /** A file's content in order, covering its size exactly. @throws HoldfastError bad-encoding when it does not */
  async *extents(entry: TreeEntry, options: Cancel = {}): AsyncGenerator<Extent> {
    let covered = 0;
    const checked = (extent: Extent): Extent => {
      covered += extent.length;
      if (extent.length === 0 || covered > entry.size) throw wrongSize(entry);
      return extent;
    };
    for (const extent of entry.content) yield checked(extent);
    for await (const bytes of this.#chunks(entry.contentList, options)) {
      for (const extent of decodeExtents(bytes)) yield checked(extent);
    }
    if (covered !== entry.size) throw wrongSize(entry);
  }
}

/** What a snapshot names by place: its root, an index segment. @throws HoldfastError corrupt, or as `frame` */
export async function readBlob(
  frames: Pick<FrameReader, 'frame'>,
  ref: BlobRef,
  options: Cancel,
): Promise<Uint8Array> {
  const frame = await frames.frame(ref, options);
  const bytes = frame.subarray(ref.offset, ref.offset + ref.length);
  if (bytes.length === ref.length) return bytes;
  throw new HoldfastError('corrupt', 'a reference leads outside of its frame', {
    details: { pack: ref.pack, frame: ref.frame },
  });
}

/** The error of a directory nested deeper than any file system has it. */
export function tooDeep(path: SnapshotPath): HoldfastError {
  const start = printable(joinPath(path.slice(0, 8)));
  const what = `the tree below ${start} is nested more than ${treeDepthMax} deep`;
  return new HoldfastError('limit-exceeded', what);
}

function wrongSize(entry: TreeEntry): HoldfastError {
  const what = `the content of ${printable(entry.name)} is not as long as its size`;
  return new HoldfastError('bad-encoding', what);
}

const emptyDirectory: TreeEntry = {
  name: new Uint8Array(0),
  mode: 0o040755,
  uid: 0,
  gid: 0,
  user: '',
  group: '',
  mtimeNs: 0n,
  size: 0,
  content: [],
  contentList: [],
  tree: [],
  target: undefined,
  rdev: 0n,
  linkGroup: 0n,
  xattrs: [],
};
