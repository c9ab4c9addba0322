import { KiB } from '../../base/units.ts';
import { nextData } from './native.ts';
import { errnoOf } from './system-error.ts';

/** Smaller holes are read as the zeros they are: an extent record and a cut chunk would cost more. */
export const holeSizeMin = 64 * KiB;

/** A stretch of a file that is cut on its own, or left out as a hole. */
export type FileRun = { readonly kind: 'data' | 'hole'; readonly end: number };

/**
 * The run that begins at `offset` of a file of `size` bytes. A data run goes up to the next hole of at least
 * holeSizeMin; it is not followed much past `limit`, so an `end` beyond `limit` only says that it goes on there.
 * The answer does not depend on where in the run `offset` lies, so parts of a file agree with the whole.
 */
export function runAt(fd: number, span: { offset: number; limit: number; size: number }): FileRun {
  const { offset, limit, size } = span;
  try {
    let data = nextData(fd, offset);
    const start = Math.min(data?.start ?? size, size);
    if (start - offset >= holeSizeMin) return { kind: 'hole', end: start };
    let end = Math.min(data?.end ?? size, size);
    while (end < size && end <= limit) {
      data = nextData(fd, end);
      const resumed = Math.min(data?.start ?? size, size);
      if (resumed - end >= holeSizeMin) return { kind: 'data', end };
      const further = Math.min(data?.end ?? size, size);
      // A file that changes meanwhile may answer without progress.
      if (further <= end) break;
      end = further;
    }
    return { kind: 'data', end: end > offset ? end : size };
  } catch (error) {
    // EINVAL, ENOTSUP: this file system does not tell holes from data, so all is data.
    if (errnoOf(error) === undefined) throw error;
    return { kind: 'data', end: size };
  }
}
