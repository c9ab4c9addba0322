/** The promise's outcome, or the signal's reason if that comes first; the work itself goes on. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  // By hand: Promise.race makes four more promises, for each piece of whatever is waited for.
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    const end = (): void => signal.removeEventListener('abort', onAbort);
    work.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
    // What the work has come to already counts first.
    if (signal.aborted) queueMicrotask(onAbort);
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
