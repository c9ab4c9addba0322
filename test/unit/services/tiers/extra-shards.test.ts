import { beforeEach, expect, test } from 'vitest';
import { ExtraShards, readExtras } from '../../../../src/services/tiers/extra-shards.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { packOf } from '../../../support/keeping-sample.ts';
import { MemoryRecords } from '../../../support/memory-records.ts';

const [a, b] = [packOf('a'), packOf('b')] as const;
const nothingHeld = (): boolean => false;
let records: MemoryRecords;
let extras: ExtraShards;

beforeEach(() => {
  records = new MemoryRecords();
  extras = new ExtraShards(records, new Map());
});

async function reopened(): Promise<ExtraShards> {
  return new ExtraShards(records, await readExtras(records, collectingLog()));
}

test('what is made for a full copy is known after a crash at any moment', async () => {
  await extras.mark(a, [0, 2], nothingHeld);
  await extras.mark(b, [1], nothingHeld);
  const after = await reopened();
  expect([after.maskOf(a), after.maskOf(b)]).toEqual([0b101, 0b010]);
});

test('a shard that is held already was given to this host, and is never taken for an extra', async () => {
  await extras.mark(a, [0, 1, 2], (index) => index === 1);
  expect(extras.maskOf(a)).toBe(0b101);
});

test('what placement gives this host is its own from then on', async () => {
  await extras.mark(a, [0, 1], nothingHeld);
  extras.beginToLeave(a, [0, 1]);
  await extras.keep(a, [1]);
  expect([extras.maskOf(a), extras.leavingMaskOf(a)]).toEqual([0b01, 0b01]);
  expect((await reopened()).maskOf(a)).toBe(0b01);
  await extras.keep(b, [0]);
  expect(extras.size).toBe(1);
});

test('only what is leaving is removed, and never what is kept meanwhile', async () => {
  await extras.mark(a, [0, 1, 2], nothingHeld);
  extras.beginToLeave(a, [0, 1]);
  const removed: number[] = [];
  let keeping: Promise<void> | undefined;
  const count = await extras.remove(a, [0, 1, 2], async (index) => {
    // Whoever offers the shard now must not be told that it is here.
    keeping ??= extras.keep(a, [1]);
    removed.push(index);
    await Promise.resolve();
  });
  await keeping;
  expect([count, removed]).toEqual([2, [0, 1]]);
  expect([extras.maskOf(a), extras.leavingMaskOf(a)]).toEqual([0b100, 0]);
  expect((await reopened()).maskOf(a)).toBe(0b100);
});

test('one that is kept before its turn comes is not removed', async () => {
  await extras.mark(a, [0, 1], nothingHeld);
  extras.beginToLeave(a, [0, 1]);
  await extras.keep(a, [0]);
  const removed: number[] = [];
  await extras.remove(a, [0, 1], async (index) => void removed.push(index));
  expect(removed).toEqual([1]);
});

test('a damaged record makes shards stay', async () => {
  await extras.mark(a, [0], nothingHeld);
  for (const name of records.all.keys()) records.damaged.add(name);
  const log = collectingLog();
  expect((await readExtras(records, log)).size).toBe(0);
  expect(JSON.stringify(log)).toContain('full copies');
});

test('nothing is left of what is forgotten, and a full disk is said', async () => {
  await extras.mark(a, [0], nothingHeld);
  await extras.forget(a);
  expect([extras.size, (await reopened()).size]).toEqual([0, 0]);
  records.isFull = true;
  await expect(extras.mark(b, [0], nothingHeld)).rejects.toThrow('full');
});
