import type { TreeEntry } from '../core/format/tree.ts';

export type Overwrite = 'always' | 'if-changed' | 'if-newer' | 'never';

/** What could not be restored exactly (an owner without root, an attribute the file system refuses). */
export type TargetProblem = { readonly what: string };

/**
 * A directory below which a restore writes. Reached through open directories only: never follows a link,
 * never leaves the root. A file appears under its name only when complete.
 */
export interface RestoreTarget extends AsyncDisposable {
  readonly root: TargetDirectory;
}

export interface TargetDirectory extends AsyncDisposable {
  /** Creates the directory if it is missing (0700 until finished) and opens it. @throws HoldfastError unsafe-target | io-error */
  enter(entry: TreeEntry): Promise<TargetDirectory>;
  /** Decides by `overwrite` what to do with what stands under the entry's name. 'same': already identical by size and mtime. */
  check(entry: TreeEntry, overwrite: Overwrite): 'write' | 'same' | 'skip';
  /**
   * Whole small file at once: content, owner, mode, attributes, times, then its name. The content is free for others
   * as soon as this returns; the file is there when its problems are.
   * @throws HoldfastError at once or later
   */
  writeFile(
    entry: TreeEntry,
    content: Uint8Array,
  ): readonly TargetProblem[] | Promise<readonly TargetProblem[]>;
  /** A larger file, in any order of pieces; holes are whatever is not written. */
  createFile(entry: TreeEntry): TargetFile;
  /** Links, FIFOs, devices, sockets (sockets are recreated as sockets nodes). */
  writeSpecial(entry: TreeEntry): readonly TargetProblem[];
  /** A hard link to a file restored before. */
  writeLink(
    entry: TreeEntry,
    original: { directory: TargetDirectory; name: Uint8Array },
  ): readonly TargetProblem[];
  /** Owner, mode, attributes and times of the directory itself: call after everything in it. */
  finish(entry: TreeEntry): readonly TargetProblem[];
}

export interface TargetFile {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Sets the size, metadata and name. */
  finish(): Promise<readonly TargetProblem[]>;
  /** Removes the partial file. */
  abandon(): Promise<void>;
}
