import { readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFenceStore } from '../../../../src/adapters/fs/fence-store.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import { fenceStoreContract } from '../../../contract/fence-store.ts';
import { MemoryFenceStore, MemoryStepStore } from '../../../support/memory-fence-store.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

fenceStoreContract('files', async () => {
  const scratch = scratchDirectory();
  return {
    ...(await openFenceStore(scratch.path)),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
});

fenceStoreContract('memory', async () => ({
  fences: new MemoryFenceStore(),
  steps: new MemoryStepStore(),
  [Symbol.asyncDispose]: async () => {},
}));

const target = 'c'.repeat(64) as AgentKey;

test('fences, votes and steps are there after a restart', async () => {
  await using scratch = scratchDirectory();
  const before = await openFenceStore(scratch.path);
  await before.fences.raise('run-1', { generation: 3, index: 44 });
  await before.fences.castVote('slot', { target, fence: { generation: 3, index: 44 } });
  await before.steps.write('step', Uint8Array.of(9));
  const after = await openFenceStore(scratch.path);
  expect(await after.fences.fence('run-1')).toEqual({ generation: 3, index: 44 });
  expect((await after.fences.vote('slot'))?.target).toBe(target);
  expect(await after.steps.read('step')).toEqual(Uint8Array.of(9));
  await expect(after.fences.raise('run-1', { generation: 3, index: 43 })).rejects.toMatchObject({
    code: 'not-permitted',
  });
});

test('a record with any byte changed, cut or swapped is corrupt, and never none', async () => {
  await using scratch = scratchDirectory();
  const { fences } = await openFenceStore(scratch.path);
  await fences.raise('run-1', { generation: 3, index: 44 });
  await fences.castVote('slot', { target, fence: { generation: 3, index: 44 } });
  for (const [folder, read] of [
    ['fences', () => fences.fence('run-1')],
    ['votes', () => fences.vote('slot')],
  ] as const) {
    const [file = ''] = readdirSync(join(scratch.path, folder));
    const path = join(scratch.path, folder, file);
    const good = readFileSync(path);
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good);
      bad[at] = (bad[at] as number) ^ 0x10;
      writeFileSync(path, bad);
      await expect(read()).rejects.toMatchObject({ code: 'corrupt' });
    }
    for (const size of [0, 1, good.length - 1]) {
      writeFileSync(path, good);
      truncateSync(path, size);
      await expect(read()).rejects.toMatchObject({ code: 'corrupt' });
    }
    writeFileSync(path, good);
    expect(await read()).toBeDefined();
  }
});

test('a record put under another name is corrupt', async () => {
  await using scratch = scratchDirectory();
  const { fences } = await openFenceStore(scratch.path);
  await fences.raise('run-1', { generation: 3, index: 44 });
  const folder = join(scratch.path, 'fences');
  renameSync(join(folder, 'run-1.rec'), join(folder, 'run-2.rec'));
  await expect(fences.fence('run-2')).rejects.toMatchObject({ code: 'corrupt' });
});

test('what a crash left of an unfinished write is not read', async () => {
  await using scratch = scratchDirectory();
  const { fences, steps } = await openFenceStore(scratch.path);
  await steps.write('step', Uint8Array.of(1));
  writeFileSync(join(scratch.path, 'steps', '.step.rec.0123456789ab.tmp'), 'half');
  expect(await steps.names()).toEqual(['step']);
  expect(await fences.fence('step')).toBeUndefined();
});
