import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchLoop } from '../../../../src/adapters/system/loop-watch.ts';

async function block(): Promise<void> {
  await sleep(20);
  const endMs = performance.now() + 150;
  while (performance.now() < endMs);
  await sleep(20);
}

test('a loop that was blocked shows how long', async () => {
  using watch = watchLoop();
  await block();
  expect(watch.p99Ms()).toBeGreaterThan(100);
});

test('a loop that was not watched yet was not late', () => {
  using watch = watchLoop();
  expect(watch.p99Ms()).toBe(0);
});

test('watching begins anew for each, also after one that was late', async () => {
  const late = watchLoop();
  await block();
  expect(late.p99Ms()).toBeGreaterThan(100);
  late[Symbol.dispose]();
  late[Symbol.dispose]();
  using next = watchLoop();
  using other = watchLoop();
  expect([next.p99Ms(), other.p99Ms()]).toEqual([0, 0]);
  await block();
  expect(next.p99Ms()).toBeGreaterThan(100);
  expect(other.p99Ms()).toBeGreaterThan(100);
});
