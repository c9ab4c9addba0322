import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPrivateFile } from '../../../../src/agent/compose/private-file.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-private-'));
  file = join(directory, 'secret');
  writeFileSync(file, 'word', { mode: 0o600 });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a file of this user alone is read', async () => {
  const read = await readPrivateFile(file, 4);
  expect(read).toEqual({ kind: 'read', bytes: new TextEncoder().encode('word') });
});

test('one that others can read is not, and says what to do', async () => {
  chmodSync(file, 0o640);
  const problem = 'can be read by others (mode 0640)';
  const next = expect.stringContaining(`chmod 600 ${file}`);
  expect(await readPrivateFile(file, 4)).toEqual({ kind: 'not-private', problem, next });
});

test('one that is too large, or not there, is not', async () => {
  expect(await readPrivateFile(file, 3)).toEqual({ kind: 'too-large' });
  const missing = await readPrivateFile(join(directory, 'none'), 4);
  expect(missing).toMatchObject({ kind: 'unreadable', reason: expect.stringContaining('ENOENT') });
});
