import { expect, test } from 'vitest';
import { Turn } from '../../../src/base/turn.ts';

test('a turn is over after ten milliseconds, and the next begins once others had theirs', async () => {
  let nowMs = 1000;
  const slept: number[] = [];
  const turn = new Turn({
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += 50;
    },
  });
  nowMs += 10;
  expect(turn.isOver).toBe(false);
  nowMs += 1;
  expect(turn.isOver).toBe(true);
  await turn.end();
  expect(slept).toEqual([0]);
  expect(turn.isOver).toBe(false);
});
