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

test('watching begins anew for each, also after one that was late, and for two at once', async () => {
  const late = watchLoop();
  await sleep(20);
  const endMs = performance.now() + 150;
  while (performance.now() < endMs);
  await sleep(20);
  using other = watchLoop();
  late[Symbol.dispose]();
  late[Symbol.dispose]();
  using next = watchLoop();
  using third = watchLoop();
  await sleep(60);
  for (const watch of [other, next, third]) expect(watch.p99Ms()).toBeLessThan(100);
});
