/**
 * Runs a source ahead of its one reader, until so many values wait or their weights reach a bound.
 * A failure of the source reaches the reader after the values before it.
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T>,
  bounds: { countMax: number; weightMax: number; weightOf: (value: T) => number },
): AsyncGenerator<T> {
  const waiting: { value: T; weight: number }[] = [];
  let weight = 0;
  let isStopped = false;
  let hasEnded = false;
  let changed = Promise.withResolvers<void>();
  const signal = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  const isFull = (): boolean => waiting.length >= bounds.countMax || weight >= bounds.weightMax;

  const fill = async (): Promise<void> => {
    try {
      for await (const value of source) {
        const own = bounds.weightOf(value);
        waiting.push({ value, weight: own });
        weight += own;
        signal();
        while (isFull() && !isStopped) await changed.promise;
        if (isStopped) return;
      }
    } finally {
      hasEnded = true;
      signal();
    }
  };
  const filling = fill();
  filling.catch(() => {});

  try {
    for (;;) {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        weight -= next.weight;
        signal();
        yield next.value;
      }
      if (hasEnded) return await filling;
      await changed.promise;
    }
  } finally {
    isStopped = true;
    signal();
    await filling.catch(() => {});
  }
}
