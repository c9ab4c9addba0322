/** One name in a directory, with everything that makes the file what it is. */
export type TreeEntry = {
  readonly name: Uint8Array;
  /** st_mode: file type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly mtimeNs: bigint;
  readonly size: number;
  /** Of files: in order, covering size exactly. Empty when contentList is set. */
  readonly content: readonly Extent[];
  /** Of files with long extent lists: chunk ids of a stream of Extent records. */
  readonly contentList: readonly Uint8Array[];
  /** Of directories: chunk ids of the entry stream. */
  readonly tree: readonly Uint8Array[];
  /** Of symbolic links. */
  readonly target: Uint8Array | undefined;
  readonly rdev: bigint;
  /** Hard links of one inode share it; 0n for a single link. */
  readonly linkGroup: bigint;
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[];
};

/** A chunk, or a hole when `id` is undefined. */
export type Extent = { readonly id: Uint8Array | undefined; readonly length: number };

export type Xattr = { readonly name: Uint8Array; readonly value: Uint8Array };

export type EntryKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';

const kinds: ReadonlyMap<number, EntryKind> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character'],
  [0o040000, 'directory'],
  [0o060000, 'block'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);

/** What an st_mode says the entry is; undefined for a type that no known system has. */
export function kindOf(mode: number): EntryKind | undefined {
  return kinds.get(mode & 0o170000);
}
