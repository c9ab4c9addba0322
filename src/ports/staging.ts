import type { Cancel } from './runtime.ts';
import type { FileFacts, SourceDirectory } from './source.ts';
import type { RestoreTarget } from './target.ts';

/** Where restores are rehearsed: apart from everything that is in use. */
export interface StagingAreas {
  /**
   * Makes a new directory that only this user can enter, for about `bytes` in `files`.
   * @throws HoldfastError disk-full (they would not fit, and leave the reserve free) | unsafe-target | io-error
   */
  open(need: { readonly bytes: number; readonly files: number }): Promise<StagingArea>;
}

/** Disposing removes it with all that is in it, unless it is kept. */
export interface StagingArea extends AsyncDisposable {
  /** Of what is restored; absolute. */
  readonly path: string;
  readonly target: RestoreTarget;
  /** What lies there now, read back from the disk. The caller disposes. */
  look(): Promise<SourceDirectory>;
  /** What lstat says of an entry of a directory of `look`; undefined: it is not there. */
  facts(directory: SourceDirectory, name: Uint8Array): FileFacts | undefined;
  /** A regular file of a directory of `look`; never through a link. @throws HoldfastError not-found | io-error */
  read(directory: SourceDirectory, name: Uint8Array): Promise<StagedFile>;
  keep(): void;
}

export interface StagedFile extends AsyncDisposable {
  /** Exactly `length` bytes from `offset`, or fewer where the file ends. */
  read(offset: number, length: number, options: Cancel): Promise<Uint8Array>;
}
