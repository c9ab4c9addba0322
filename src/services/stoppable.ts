import { HoldfastError } from '../core/errors.ts';

/**
 * A generator that stops as soon as nobody listens any more. By itself one returns only when what it waits for has
 * come; this one has its signal aborted at once, so that what it waits for ends.
 */
export function stoppable<T>(make: (signal: AbortSignal) => AsyncGenerator<T>): AsyncGenerator<T> {
  const abort = new AbortController();
  const inner = make(abort.signal);
  const stop = (): void => abort.abort(new HoldfastError('interrupted', 'nobody listens any more'));
  const outer: AsyncGenerator<T> = {
    next: () => inner.next(),
    return: (value) => {
      stop();
      return inner.return(value);
    },
    throw: (error) => {
      stop();
      return inner.throw(error);
    },
    [Symbol.asyncIterator]: () => outer,
    [Symbol.asyncDispose]: async () => {
      await outer.return(undefined);
    },
  };
  return outer;
}
