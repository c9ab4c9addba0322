import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../src/ports/object-store.ts';

export type OpenedObjectStore = AsyncDisposable & { readonly store: ObjectStore };

const some = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);
const other = Uint8Array.of(1, 2, 3);
const key = 'shards/0a/object.1';
const whole = { from: 0, size: 1 << 20 };

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key: one, size } of store.list(prefix)) found.push(`${one} ${size}`);
  return found.sort();
}

/** What every ObjectStore promises. `open` gives an empty one. */
export function objectStoreContract(
  name: string,
  open: () => Promise<OpenedObjectStore>,
  { isExclusive = true } = {},
): void {
  describe(`${name} as an ObjectStore`, () => {
    test('what is not there reads as absent', async () => {
      await using opened = await open();
      const { store } = opened;
      expect(await store.read(key, whole)).toBeUndefined();
      expect(await store.sizeOf(key)).toBeUndefined();
      expect(await keysOf(store, '')).toEqual([]);
      await store.remove(key);
    });

    test('an object comes back byte for byte, whole and in parts', async () => {
      await using opened = await open();
      const { store } = opened;
      expect(await store.create(key, some)).toBe(true);
      expect(plain(await store.read(key, whole))).toEqual(some);
      expect(plain(await store.read(key, { from: 100, size: 10 }))).toEqual(some.slice(100, 110));
      expect(plain(await store.read(key, { from: 4990, size: 99 }))).toEqual(some.slice(4990));
      expect(plain(await store.read(key, { from: 5000, size: 1 }))).toEqual(new Uint8Array());
      expect(await store.sizeOf(key)).toBe(5000);
    });

    test('a name that is taken is not given again', async () => {
      await using opened = await open();
      const { store } = opened;
      expect(await store.create(key, some)).toBe(true);
      expect(await store.create(key, other)).toBe(false);
      expect(plain(await store.read(key, whole))).toEqual(some);
    });

    test.runIf(isExclusive)(
      'of several that create one object at the same moment, one does',
      async () => {
        await using opened = await open();
        const { store } = opened;
        const tries = Array.from({ length: 6 }, (_, i) => store.create(key, Uint8Array.of(i, i)));
        const results = await Promise.all(tries);
        expect(results.filter((isCreated) => isCreated)).toHaveLength(1);
        const winner = results.indexOf(true);
        expect(plain(await store.read(key, whole))).toEqual(Uint8Array.of(winner, winner));
      },
    );

    test('what was written over reads as new at once', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.replace(key, some);
      for (let i = 0; i < 5; i++) {
        await store.replace(key, Uint8Array.of(i));
        expect(plain(await store.read(key, whole))).toEqual(Uint8Array.of(i));
        expect(await store.sizeOf(key)).toBe(1);
      }
    });

    test('the list has what begins so, and no more', async () => {
      await using opened = await open();
      const { store } = opened;
      for (const one of ['mark.json', 'shards/0a/x.0', 'shards/0a/y.0', 'shards/0b/z.0']) {
        await store.create(one, other);
      }
      expect(await keysOf(store, 'shards/0a/')).toEqual(['shards/0a/x.0 3', 'shards/0a/y.0 3']);
      expect(await keysOf(store, 'shards/0')).toHaveLength(3);
      expect(await keysOf(store, '')).toHaveLength(4);
    });

    test('what was removed is gone, and its name is free', async () => {
      await using opened = await open();
      const { store } = opened;
      await store.create(key, some);
      await store.replace(key, other);
      await store.remove(key);
      expect(await store.read(key, whole)).toBeUndefined();
      expect(await keysOf(store, '')).toEqual([]);
      expect(await store.create(key, other)).toBe(true);
    });

    test('it says what it can do, and locks only if it says so', async () => {
      await using opened = await open();
      const { store } = opened;
      const { canLock } = await store.abilities();
      expect(await store.create(key, some)).toBe(true);
      const retention = { mode: 'governance', untilMs: Date.now() + 2000 } as const;
      const locking = store.retain(key, retention);
      if (!canLock) {
        await expect(locking).rejects.toMatchObject({ code: 'not-permitted' });
        return;
      }
      await locking;
      await expect(store.remove(key)).rejects.toMatchObject({ code: 'not-permitted' });
      expect(plain(await store.read(key, whole))).toEqual(some);
      // A longer one takes its place.
      await store.retain(key, { ...retention, untilMs: retention.untilMs + 1000 });
      await expect(store.remove(key)).rejects.toMatchObject({ code: 'not-permitted' });
    });
  });
}

/** Not a Buffer, which equals no plain array. */
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : Uint8Array.from(bytes);
}
