import type { Xattr } from '../core/format/tree.ts';
import type { Cancel } from './runtime.ts';

/** What lstat says, as it is on disk. Times in nanoseconds. */
export type FileFacts = {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
  readonly rdev: bigint;
  readonly linkCount: number;
};

export type SourceEntry = {
  readonly name: Uint8Array;
  readonly facts: FileFacts;
};

/** An open directory: its entries are reached through it, so that no path limit and no swapped link matters. */
export interface SourceDirectory extends AsyncDisposable {
  /** All entries but . and .., sorted by name bytes. Entries that vanished meanwhile are left out. */
  list(): Promise<readonly SourceEntry[]>;
  /** Never follows a link. @throws HoldfastError not-found (vanished) | io-error */
  enter(name: Uint8Array): Promise<SourceDirectory>;
  readLink(name: Uint8Array): Uint8Array;
  /** Sorted by name; empty where the file system has none. */
  xattrs(name: Uint8Array): readonly Xattr[];
  /** Extended attributes of the directory itself. */
  ownXattrs(): readonly Xattr[];
  ownFacts(): FileFacts;
  /** The first `size` bytes of a file: for CACHEDIR.TAG. */
  peek(name: Uint8Array, size: number): Uint8Array | undefined;
}

/** Files to protect. */
export interface Source extends AsyncDisposable {
  /** Opens the directory that holds the last component of an absolute path. @throws HoldfastError not-found */
  open(path: Uint8Array): Promise<SourceDirectory>;
  userName(uid: number): string;
  groupName(gid: number): string;
  /**
   * Reads, cuts and names the content of many files (or of a part of one) into one slab.
   * Order of results is order of requests. The slab is the caller's own.
   */
  read(requests: readonly ReadRequest[], chunking: Chunking, options?: Cancel): Promise<ReadBatch>;
}

/** Secrets of a dataset's deduplication: chunk boundaries and chunk ids. */
export type Chunking = {
  readonly min: number;
  readonly average: number;
  readonly max: number;
  /** 40 bytes: 32 of substitution tables, 8 of the decision key (core/coding/chunker.ts). */
  readonly cutKey: Uint8Array;
  /** 32 bytes: keyed BLAKE3. */
  readonly idKey: Uint8Array;
};

export type ReadRequest = {
  readonly directory: SourceDirectory;
  readonly name: Uint8Array;
  /** Where to go on: 0, or an earlier result's `next`. */
  readonly offset: number;
  /** Stop reading after about this many bytes (at least one whole chunk is delivered). */
  readonly sizeMax: number;
};

export type ReadBatch = { readonly slab: Uint8Array; readonly results: readonly ReadResult[] };

export type ReadResult =
  | {
      readonly outcome: 'read';
      /** fstat when opened for this part. */
      readonly facts: FileFacts;
      /** Of the open file, as in SourceDirectory. */
      readonly xattrs: readonly Xattr[];
      /** fstat after reading said the same as before. */
      readonly isStable: boolean;
      readonly extents: readonly SlabExtent[];
      /** Where the next part starts, or undefined when the file is complete. */
      readonly next: number | undefined;
    }
  | { readonly outcome: 'vanished' }
  | { readonly outcome: 'failed'; readonly reason: string };

/** A chunk in the slab, or a hole of the file. In file order, without gaps. */
export type SlabExtent =
  | {
      readonly kind: 'chunk';
      readonly offset: number;
      readonly length: number;
      readonly id: Uint8Array;
    }
  | { readonly kind: 'hole'; readonly length: number };
