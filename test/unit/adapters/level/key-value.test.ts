import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openKeyValue } from '../../../../src/adapters/level/key-value.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { keyValueContract } from '../../../contract/key-value.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

keyValueContract('LevelDB', async () => {
  const scratch = scratchDirectory();
  const index = await openKeyValue(join(scratch.path, 'index'));
  return {
    index,
    [Symbol.asyncDispose]: async () => {
      await index[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
});

keyValueContract('the index in memory', async () => {
  const index = new MemoryKeyValue();
  return { index, [Symbol.asyncDispose]: async () => undefined };
});

describe('the LevelDB index on disk', () => {
  const key = utf8('key');

  test('entries are there after closing and opening again', async () => {
    await using scratch = scratchDirectory();
    await fill(scratch.path);
    await using index = await openKeyValue(scratch.path);
    expect(index.get(key)).toEqual(utf8('value'));
  });

  test('a second opener is told that the index is in use', async () => {
    await using scratch = scratchDirectory();
    await using _index = await openKeyValue(scratch.path);
    await expect(openKeyValue(scratch.path)).rejects.toMatchObject({ code: 'state-in-use' });
  });

  test('a damaged manifest is reported with the repair command', async () => {
    await using scratch = scratchDirectory();
    await fill(scratch.path);
    const manifest = nameLike(scratch.path, /^MANIFEST/);
    const bytes = readFileSync(manifest);
    bytes.fill(0xff, 0, 20);
    writeFileSync(manifest, bytes);
    await expectRepairable(scratch.path);
  });

  test('a missing manifest is reported with the repair command', async () => {
    await using scratch = scratchDirectory();
    await fill(scratch.path);
    truncateSync(join(scratch.path, 'CURRENT'));
    await expectRepairable(scratch.path);
    writeFileSync(join(scratch.path, 'CURRENT'), 'MANIFEST-999999\n');
    await expectRepairable(scratch.path);
  });

  test('a directory that cannot be made is an input/output error', async () => {
    await using scratch = scratchDirectory();
    writeFileSync(join(scratch.path, 'file'), '');
    await expect(openKeyValue(join(scratch.path, 'file', 'index'))).rejects.toMatchObject({
      code: 'io-error',
    });
  });

  async function fill(directory: string): Promise<void> {
    await using index = await openKeyValue(directory);
    await index.batch([{ type: 'put', key, value: utf8('value') }], { durable: true });
  }

  async function expectRepairable(directory: string): Promise<void> {
    await expect(openKeyValue(directory)).rejects.toMatchObject({
      code: 'corrupt',
      next: 'holdfast repair --index',
    });
  }

  function nameLike(directory: string, pattern: RegExp): string {
    const name = readdirSync(directory).find((candidate) => pattern.test(candidate));
    return join(directory, name as string);
  }
});
