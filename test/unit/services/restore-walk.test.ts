import { expect, test } from 'vitest';
import { RestoreFilter } from '../../../src/services/restore-filter.ts';
import { RestoreWalk } from '../../../src/services/restore-walk.ts';
import { buildSnapshot, file, type SampleTree } from '../../support/build-snapshot.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** @returns after how many entries frames were asked for, and how many chunks were announced with them */
async function announced(tree: SampleTree, frameChunks: number): Promise<[number, number][]> {
  const snapshot = await buildSnapshot(tree, { clock: new ManualClock(), frameChunks });
  const reader = await snapshot.open();
  const calls: [number, number][] = [];
  let steps = 0;
  Object.assign(reader, {
    // Before the first entry: the list of entries.
    prefetch: (ahead: readonly unknown[]) => steps > 0 && calls.push([steps, ahead.length]),
  });
  const order = { include: [], exclude: [] };
  const root = { parent: undefined, entry: reader.rootEntry, path: [], isBlocked: false };
  const { signal } = new AbortController();
  const filter = new RestoreFilter(order);
  const walk = new RestoreWalk({ reader, filter, path: [], root, prefetches: true, signal });
  for await (const _ of walk.steps()) steps++;
  return calls;
}

function small(count: number): SampleTree {
  const name = (i: number): string => `f${String(i).padStart(4, '0')}`;
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [name(i), file(20, i)]));
}

test('frames of a few chunks are asked for eight at a time', async () => {
  expect(await announced(small(100), 10)).toEqual([
    [80, 80],
    [100, 20],
  ]);
});

test('frames of many small files are asked for one or two at a time, with all their chunks', async () => {
  expect(await announced(small(1500), 300)).toEqual([
    [600, 600],
    [1200, 600],
    [1500, 300],
  ]);
});
