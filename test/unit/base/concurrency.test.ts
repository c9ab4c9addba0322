import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { mapLimit, Semaphore } from '../../../src/base/concurrency.ts';

describe('a semaphore', () => {
  test('never lets more units in than its limit, and lets everybody in at last', async () => {
    const jobs = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), jobs, async (limit, units) => {
        const semaphore = new Semaphore(limit);
        let held = 0;
        let done = 0;
        await Promise.all(
          units.map(async (wanted) => {
            const release = await semaphore.acquire(wanted);
            const taken = Math.min(wanted, limit);
            held += taken;
            expect(held).toBeLessThanOrEqual(limit);
            await Promise.resolve();
            held -= taken;
            done++;
            release();
          }),
        );
        expect(done).toBe(units.length);
        expect(held).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('serves those who wait in their order, a large one before later small ones', async () => {
    const semaphore = new Semaphore(3);
    const first = await semaphore.acquire(2);
    const order: string[] = [];
    const large = semaphore.acquire(3).then((release) => {
      order.push('large');
      release();
    });
    const small = semaphore.acquire(1).then((release) => {
      order.push('small');
      release();
    });
    await setImmediate();
    expect(order).toEqual([]);
    first();
    await Promise.all([large, small]);
    expect(order).toEqual(['large', 'small']);
  });

  test('released twice is a bug', async () => {
    const release = await new Semaphore(1).acquire();
    release();
    expect(release).toThrow(AssertionError);
  });
});

describe('mapping with a limit', () => {
  test('gives results in the order of the items, with no more at once than allowed', async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimit([5, 1, 4, 2, 3, 0], 2, async (turns, index) => {
      most = Math.max(most, ++running);
      for (let i = 0; i < turns; i++) await Promise.resolve();
      running--;
      return `${index}:${turns}`;
    });
    expect(results).toEqual(['0:5', '1:1', '2:4', '3:2', '4:3', '5:0']);
    expect(most).toBe(2);
  });

  test('starts nothing after a failure, and reports the first one', async () => {
    const started: number[] = [];
    const work = mapLimit([0, 1, 2, 3, 4, 5], 2, async (item) => {
      started.push(item);
      await setImmediate();
      if (item === 1) throw new Error('item 1');
      await setImmediate();
      return item;
    });
    await expect(work).rejects.toThrow('item 1');
    await setImmediate();
    await setImmediate();
    expect(started).toEqual([0, 1]);
  });

  test('of nothing is nothing', async () => {
    expect(await mapLimit([], 4, async () => 1)).toEqual([]);
  });
});
