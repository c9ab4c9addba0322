import { HoldfastError } from '../core/errors.ts';

/** The events until the signal, which returns the iterator (and so cancels the work behind it). @throws HoldfastError interrupted */
export async function* untilInterrupted<T>(
  events: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const iterator = events[Symbol.asyncIterator]();
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => undefined);
  const onAbort = (): void => {
    // Not awaited: a generator returns only when its pending next has settled.
    iterator.return?.()?.catch(() => undefined);
    interrupted.reject(new HoldfastError('interrupted', 'interrupted'));
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  let isOver = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), interrupted.promise]);
      isOver = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!isOver) await iterator.return?.();
  }
}
