import { expect, test } from 'vitest';
import { checkStore, type StoreCheck } from '../../../../src/services/tiers/store-check.ts';
import { timesOf } from '../../../../src/services/tiers/check-times.ts';
import { entropy } from '../../../support/backup-site.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

async function checked(objects: MemoryObjects, clock = new ManualClock()): Promise<StoreCheck> {
  const running = checkStore({ objects, size: 100_000, count: 4, clock, entropy });
  running.catch(() => {});
  for (let i = 0; i < 40; i++) await clock.advance(1000);
  return running;
}

const stateOf = ({ findings }: StoreCheck, word: string): string | undefined =>
  findings.find(({ check }) => check.includes(word))?.state;

test('a good store passes, and nothing is left in it', async () => {
  const clock = new ManualClock();
  const objects = new MemoryObjects({ canLock: true, nowMs: () => clock.nowMs() });
  const check = await checked(objects, clock);
  expect(check.findings.filter(({ state }) => state === 'bad')).toEqual([]);
  expect(stateOf(check, 'locked')).toBe('good');
  expect(objects.objects.size).toBe(0);
});

test('a store that gives back something else is refused, and cleaned up', async () => {
  const objects = new MemoryObjects();
  objects.spoil = (bytes) => bytes.fill(7);
  await expect(checked(objects)).rejects.toMatchObject({ code: 'corrupt' });
  expect(objects.objects.size).toBe(0);
});

test('a store that shows old versions for a while is found out', async () => {
  const objects = new MemoryObjects();
  const old = new Map<string, Uint8Array>();
  const { replace, read } = MemoryObjects.prototype;
  objects.replace = async (key, bytes) => {
    const before = objects.objects.get(key);
    if (before !== undefined) old.set(key, before);
    await replace.call(objects, key, bytes);
  };
  objects.read = async (key, range) => old.get(key) ?? read.call(objects, key, range);
  expect(stateOf(await checked(objects), 'new version')).toBe('bad');
});

test('a store that forgets to list, and one that does not delete, are found out', async () => {
  const unlisted = new MemoryObjects();
  unlisted.list = async function* () {};
  expect(stateOf(await checked(unlisted), 'listed')).toBe('bad');
  const sticky = new MemoryObjects();
  sticky.remove = async () => {};
  expect(stateOf(await checked(sticky), 'deleted is gone')).toBe('bad');
});

test('a store that says yes to a lock and deletes all the same is found out', async () => {
  const objects = new MemoryObjects({ canLock: true });
  objects.retain = async () => {};
  expect(stateOf(await checked(objects), 'locked')).toBe('bad');
});

test('a store in which every writer of one name wins is said to, and may be used', async () => {
  const objects = new MemoryObjects();
  objects.create = async (key, bytes) => {
    await objects.replace(key, bytes);
    return true;
  };
  expect(stateOf(await checked(objects), 'one wins')).toBe('absent');
});

test('percentiles of few samples are samples', () => {
  expect(timesOf([3, 1, 2])).toEqual({ p50Ms: 2, p99Ms: 3, maxMs: 3 });
  expect(timesOf([])).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 });
});
