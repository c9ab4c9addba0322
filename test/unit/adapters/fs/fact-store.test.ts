import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryFactStore, openFactStore } from '../../../../src/adapters/fs/fact-store.ts';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import type { FactStore } from '../../../../src/ports/statement-log.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const fact = utf8('a fact');
const name = hash('fact', fact);

const kinds: readonly [string, (directory: string) => Promise<FactStore>][] = [
  ['on disk', openFactStore],
  ['in memory', async () => memoryFactStore()],
];

describe.each(kinds)('facts %s', (_, open) => {
  test('a fact comes back under its hash, others are missing', async () => {
    await using scratch = scratchDirectory();
    const store = await open(scratch.path);
    expect(await store.has(name)).toBe(false);
    expect(await store.get(name)).toBeUndefined();
    await store.put(name, fact);
    await store.put(name, fact);
    expect(await store.has(name)).toBe(true);
    expect(await store.get(name)).toEqual(fact);
  });

  test('a fact given or got is not shared with the store', async () => {
    await using scratch = scratchDirectory();
    const store = await open(scratch.path);
    const bytes = fact.slice();
    await store.put(name, bytes);
    bytes.fill(0);
    (await store.get(name))?.fill(0);
    expect(await store.get(name)).toEqual(fact);
  });

  test('many puts of one fact at once are one', async () => {
    await using scratch = scratchDirectory();
    const store = await open(scratch.path);
    await Promise.all(Array.from({ length: 20 }, () => store.put(name, fact)));
    expect(await store.get(name)).toEqual(fact);
  });
});

describe('facts on disk', () => {
  const pathIn = (directory: string): string =>
    join(directory, toHex(name).slice(0, 2), toHex(name));

  test('facts are there after opening again', async () => {
    await using scratch = scratchDirectory();
    await (await openFactStore(scratch.path)).put(name, fact);
    expect(await (await openFactStore(scratch.path)).get(name)).toEqual(fact);
  });

  test('a put of a fact that is there does not write it again', async () => {
    await using scratch = scratchDirectory();
    const path = pathIn(scratch.path);
    await (await openFactStore(scratch.path)).put(name, fact);
    utimesSync(path, 1000, 1000);
    await (await openFactStore(scratch.path)).put(name, fact);
    expect(statSync(path).mtimeMs).toBe(1_000_000);
  });

  test.each([
    ['a flipped bit', (bytes: Buffer) => bytes.map((byte, at) => (at === 2 ? byte ^ 1 : byte))],
    ['a cut', (bytes: Buffer) => bytes.subarray(1)],
    ['emptiness', () => new Uint8Array()],
  ])('%s makes a fact missing, and it can be put again', async (_, damage) => {
    await using scratch = scratchDirectory();
    const store = await openFactStore(scratch.path);
    await store.put(name, fact);
    const path = pathIn(scratch.path);
    writeFileSync(path, damage(readFileSync(path)));
    expect(await store.get(name)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expect(await store.has(name)).toBe(false);
    await store.put(name, fact);
    expect(await store.get(name)).toEqual(fact);
  });
});
