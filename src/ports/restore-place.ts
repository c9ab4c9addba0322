import type { RestoreTarget } from './target.ts';

/** Whose a directory is, that plans restore into. */
export type PlaceOwner = {
  /** One for each plan, run and step. Printable, at most 200 characters. */
  readonly name: string;
};

/** Directories of this host into which plans restore. Paths are absolute. */
export interface RestorePlaces {
  /**
   * Opens a directory that is missing, empty, or has been opened by the same owner before: a mark beside it
   * says so, durably, before the first byte is written.
   * @throws HoldfastError unsafe-target | io-error | disk-full
   */
  open(path: string, owner: PlaceOwner): Promise<RestoreTarget>;
  /**
   * Renames what its owner has restored, and removes the mark; nothing is deleted. Does nothing when the
   * owner has no such directory (any more).
   * @returns the new path. @throws HoldfastError io-error
   */
  setAside(path: string, owner: PlaceOwner, suffix: string): Promise<string | undefined>;
}
