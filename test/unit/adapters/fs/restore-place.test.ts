import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restorePlaces } from '../../../../src/adapters/fs/restore-place.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const owner = { name: 'holdfast plan 1 run 1 step db' };
const other = { name: 'holdfast plan 1 run 2 step db' };
const places = restorePlaces({ forbidden: [] });

async function open(path: string, by = owner): Promise<void> {
  await using _ = await places.open(path, by);
}

test('a missing or empty directory is opened and marked beside it, not in it', async () => {
  await using scratch = scratchDirectory();
  const missing = join(scratch.path, 'a', 'db');
  await open(missing);
  expect(readdirSync(missing)).toEqual([]);
  expect(readdirSync(join(scratch.path, 'a')).sort()).toEqual(['.db.holdfast', 'db']);
  const empty = join(scratch.path, 'empty');
  mkdirSync(empty);
  await open(empty);
  expect(readdirSync(empty)).toEqual([]);
});

test('what its owner has begun is opened again; what holds anything else is not', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'db');
  await open(path);
  writeFileSync(join(path, 'file'), 'restored');
  await open(path);
  await expect(open(path, other)).rejects.toMatchObject({ code: 'unsafe-target' });
  const foreign = join(scratch.path, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'file'), 'precious');
  await expect(open(foreign)).rejects.toMatchObject({ code: 'unsafe-target' });
  // A refusal leaves no mark that would open it the next time.
  await expect(open(foreign)).rejects.toMatchObject({ code: 'unsafe-target' });
  expect(existsSync(join(scratch.path, '.foreign.holdfast'))).toBe(false);
});

test('a later run may take an empty directory over', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'db');
  await open(path);
  await open(path, other);
  writeFileSync(join(path, 'file'), 'restored');
  await open(path, other);
  await expect(open(path)).rejects.toMatchObject({ code: 'unsafe-target' });
});

test('neither the root, a link, nor the state of the agent is a place to restore into', async () => {
  await using scratch = scratchDirectory();
  const state = join(scratch.path, 'state', 'agent');
  mkdirSync(state, { recursive: true });
  const guarded = restorePlaces({ forbidden: [state] });
  const link = join(scratch.path, 'link');
  symlinkSync(scratch.path, link);
  const inside = join(state, 'shards');
  const around = join(scratch.path, 'state');
  for (const path of ['/', '/../', link, state, inside, around]) {
    await expect(guarded.open(path, owner)).rejects.toMatchObject({ code: 'unsafe-target' });
  }
  expect(readdirSync(around)).toEqual(['agent']);
  const sibling = join(scratch.path, 'state', 'agent2');
  await using _ = await guarded.open(sibling, owner);
});

test('setting aside renames what the owner has restored and deletes nothing', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'db');
  for (const round of [1, 2, 3]) {
    await open(path);
    writeFileSync(join(path, `file-${round}`), 'restored');
    const aside = round === 1 ? `${path}.undone-7` : `${path}.undone-7-${round}`;
    expect(await places.setAside(path, owner, 'undone-7')).toBe(aside);
    expect(readdirSync(aside)).toEqual([`file-${round}`]);
    expect(existsSync(path)).toBe(false);
  }
  expect(readdirSync(scratch.path).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('what another owner has, or nobody has begun, is not set aside', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'db');
  expect(await places.setAside(path, owner, 'undone-7')).toBeUndefined();
  await open(path, other);
  expect(await places.setAside(path, owner, 'undone-7')).toBeUndefined();
  expect(existsSync(path)).toBe(true);
});

test('setting aside that was cut off after the renaming is finished by the next try', async () => {
  await using scratch = scratchDirectory();
  const path = join(scratch.path, 'db');
  await open(path);
  renameSync(path, `${path}.undone-7`);
  expect(await places.setAside(path, owner, 'undone-7')).toBeUndefined();
  expect(readdirSync(scratch.path)).toEqual(['db.undone-7']);
});
