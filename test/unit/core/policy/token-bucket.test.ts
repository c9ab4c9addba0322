import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  charged,
  filled,
  passed,
  type TokenBucket,
  waitMs,
} from '../../../../src/core/policy/token-bucket.ts';

const rate = 1000;
const empty: TokenBucket = { bytes: 0, atMs: 0 };

describe('a bucket of tokens', () => {
  test('fills at its rate, and saves up for a quarter of a second at most', () => {
    expect(filled(empty, rate, 100).bytes).toBe(100);
    expect(filled(empty, rate, 60_000).bytes).toBe(250);
  });

  test('lets pass what is larger than it holds, and makes the next wait for what it owes', () => {
    const owing = passed(filled(empty, rate, 100), 5100);
    expect(waitMs(owing, rate)).toBe(5000);
    expect(waitMs(filled(owing, rate, 5100), rate)).toBe(1);
    expect(waitMs(filled(owing, rate, 5101), rate)).toBe(0);
  });

  test('owes no more than a second for what does not wait, and forgets no other debt', () => {
    expect(charged(empty, 1e9, rate).bytes).toBe(-1000);
    const owing = passed(empty, 7000);
    expect(charged(owing, 500, rate).bytes).toBe(-7000);
  });

  test('lets through no more than its rate, whatever comes and whenever', () => {
    const transfer = fc.record({
      bytes: fc.integer({ min: 1, max: 3000 }),
      idleMs: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(transfer, { minLength: 1, maxLength: 50 }), (transfers) => {
        let bucket = empty;
        let nowMs = 0;
        let sum = 0;
        let last = 0;
        for (const { bytes, idleMs } of transfers) {
          nowMs += idleMs;
          bucket = filled(bucket, rate, nowMs);
          nowMs += waitMs(bucket, rate);
          bucket = passed(filled(bucket, rate, nowMs), bytes);
          last = bytes;
          sum += bytes;
        }
        // The last one may run ahead: it is what the next would wait for.
        expect(sum - last).toBeLessThanOrEqual((nowMs * rate) / 1000 + 250);
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
