import { assert } from './assert.ts';

/** Lets at most `limit` units of work hold it at once; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #limit: number;
  readonly #waiting: { units: number; resolve: () => void }[] = [];

  constructor(limit: number) {
    this.#free = limit;
    this.#limit = limit;
  }

  /** Takes `units` (capped at the limit, so that one oversized job still runs alone). */
  async acquire(units = 1): Promise<() => void> {
    const taken = Math.min(units, this.#limit);
    if (this.#waiting.length === 0 && this.#free >= taken) {
      this.#free -= taken;
    } else {
      await new Promise<void>((resolve) => this.#waiting.push({ units: taken, resolve }));
    }
    let released = false;
    return () => {
      assert(!released, 'semaphore released twice');
      released = true;
      this.#free += taken;
      this.#wake();
    };
  }

  #wake(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#free >= next.units;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= next.units;
      next.resolve();
    }
  }
}

/** Maps with at most `limit` calls under way; results in input order; the first error wins. */
export async function mapLimit<In, Out>(
  items: Iterable<In>,
  limit: number,
  work: (item: In, index: number) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = [];
  const iterator = items[Symbol.iterator]();
  let count = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (!failed) {
      const next = iterator.next();
      if (next.done) return;
      const index = count++;
      try {
        results[index] = await work(next.value, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  return results;
}
