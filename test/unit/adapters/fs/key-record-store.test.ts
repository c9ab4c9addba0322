import { linkSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openKeyRecordStore } from '../../../../src/adapters/fs/key-record-store.ts';
import { factHash } from '../../../../src/core/format/facts.ts';
import { type FactHash, idOf } from '../../../../src/core/ids.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const record = new Uint8Array(3000).fill(7);
const hash = idOf<FactHash>(factHash(record));
let scratch: ReturnType<typeof scratchDirectory>;

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch[Symbol.asyncDispose]());

test('a record is there after a restart, and can be listed', async () => {
  await openKeyRecordStore(scratch.path).put(hash, record);
  const store = openKeyRecordStore(scratch.path);
  expect(await store.list()).toEqual([hash]);
  expect(await store.get(hash)).toEqual(record);
});

test('what is removed is overwritten first: another name of the file shows it', async () => {
  const store = openKeyRecordStore(scratch.path);
  await store.put(hash, record);
  const other = join(scratch.path, 'other-name');
  linkSync(join(scratch.path, hash), other);
  await store.remove(hash);
  await store.remove(hash);
  expect(await store.list()).toEqual([]);
  expect(new Uint8Array(readFileSync(other))).toEqual(new Uint8Array(3000));
});

test('a damaged record counts as absent, so that it is fetched again', async () => {
  const store = openKeyRecordStore(scratch.path);
  await store.put(hash, record);
  writeFileSync(join(scratch.path, hash), record.slice(1));
  expect(await store.has(hash)).toBe(false);
  await store.put(hash, record);
  expect(await store.get(hash)).toEqual(record);
});
