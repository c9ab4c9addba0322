import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchLoop } from '../../../../src/adapters/system/loop-watch.ts';

test('a loop that was blocked shows how long', async () => {
  using watch = watchLoop();
  await sleep(20);
  const endMs = performance.now() + 150;
  while (performance.now() < endMs);
  await sleep(20);
  expect(watch.p99Ms()).toBeGreaterThan(100);
});

test('a loop that was not watched yet was not late', () => {
  using watch = watchLoop();
  expect(watch.p99Ms()).toBe(0);
});
