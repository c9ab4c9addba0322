import { expect, test } from 'vitest';
import { Pace } from '../../../src/services/pace.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('a pace lets through what fits its rate, and makes up for a second at most', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, () => 100);
  let taken = 0;
  const work = (async () => {
    for (let i = 0; i < 6; i++) {
      await pace.take(100);
      taken++;
    }
  })();
  await clock.advance(0);
  const atOnce = taken;
  expect(atOnce).toBeLessThanOrEqual(2);
  await clock.advance(2000);
  expect(taken).toBe(atOnce + 2);
  await clock.advance(10_000);
  await work;
  expect(taken).toBe(6);
});

test('a pace of 0 has no limit, and a signal ends the wait', async () => {
  const clock = new ManualClock();
  for (let i = 0; i < 100; i++) await new Pace(clock, () => 0).take(1e9);
  const slow = new Pace(clock, () => 1);
  await slow.take(1000);
  const stop = new AbortController();
  const waiting = slow.take(1, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});
