import { equal } from '../../base/bytes.ts';
import { isZeroHash } from '../format/statement.ts';

/**
 * How a statement relates to what is held of its sequence.
 * - `next`: it follows the head, and may be appended if its writer may say it.
 * - `known`: its place is taken. The caller compares its hash with the entry held there: another hash is a
 *   fork all the same, which this function can tell of the newest entry alone.
 * - `gap`: entries between the head and it are missing; ask for them first.
 * - `fork`: the writer has signed two histories. Both envelopes together prove it to anybody.
 */
export type Verdict = 'next' | 'known' | 'gap' | 'fork';

/**
 * Judges the place of a statement whose signatures have been checked.
 * `head`: the newest entry held, undefined when there is none. `hash`: the statement's own, 32 bytes.
 */
export function judge(
  head: { readonly sequence: number; readonly hash: Uint8Array } | undefined,
  statement: { readonly sequence: number; readonly previous: Uint8Array },
  hash: Uint8Array,
): Verdict {
  const newest = head?.sequence ?? 0;
  if (statement.sequence > newest + 1) return 'gap';
  if (head === undefined) return isZeroHash(statement.previous) ? 'next' : 'fork';
  if (statement.sequence < newest) return 'known';
  if (statement.sequence === newest) return equal(hash, head.hash) ? 'known' : 'fork';
  return equal(statement.previous, head.hash) ? 'next' : 'fork';
}
