import { AssertionError } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';

/** Reasons named in one message; a peer with more addresses than this is no clearer for all of them. */
const reasonsMax = 3;

/** The operating error for a failure of libp2p; one of ours stays as it is. */
export function unreachable(what: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  return new HoldfastError('peer-unreachable', `${what}: ${reasonOf(cause)}`, { cause });
}

/** libp2p also rejects with 'close' events, which are no errors. */
export function errorOf(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const inner = thrown instanceof Event && 'error' in thrown ? thrown.error : undefined;
  return inner instanceof Error ? inner : new Error('the connection was closed');
}

/** Bugs stop the agent: libp2p would only reset a stream. */
export function rethrowBug(error: unknown): void {
  if (!(error instanceof AssertionError)) return;
  setImmediate(() => {
    throw error;
  });
}

/** What went wrong, in words: with several addresses, what went wrong at each. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof AggregateError)) return errorOf(cause).message;
  const reasons = new Set(cause.errors.map((error) => errorOf(error).message));
  return [...reasons].slice(0, reasonsMax).join('; ') || cause.message;
}
