import { constants, openSync } from 'node:fs';
import { errnoOf } from './system-error.ts';

/** Opens for reading without a trace in the access time, which only owners and root may ask for. */
export function openQuietly(path: Buffer, flags: number): number {
  try {
    return openSync(path, flags | constants.O_NOATIME);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return openSync(path, flags);
  }
}

/** A regular file: never through a link, and never waiting for the other end of a FIFO that took its name. */
export const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A directory, through a link only where a person named the path. */
export const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY;
