import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStateDirectory } from '../../../../src/adapters/fs/state-directory.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const secret = utf8('secret');

describe('the state directory', () => {
  test('is made with all its parts, for its owner only', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(join(scratch.path, 'a', 'state'));
    for (const path of [state.path, ...Object.values(state.paths)]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
    expect(Object.keys(state.paths)).toContain('audit');
  });

  test('one that is missing or has no member in it belongs to no cluster', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'state');
    const noCluster = { code: 'no-cluster', next: 'holdfast init or holdfast join' };
    await expect(openStateDirectory(path, { create: false })).rejects.toMatchObject(noCluster);
    const state = await openStateDirectory(path);
    expect(() => state.requireCluster('member.json')).toThrow(expect.objectContaining(noCluster));
    await state.writeJson('member.json', {});
    expect(() => state.requireCluster('member.json')).not.toThrow();
    await openStateDirectory(path, { create: false });
  });

  test('an empty one that others may write to is closed to them', async () => {
    await using scratch = scratchDirectory();
    chmodSync(scratch.path, 0o777);
    await openStateDirectory(scratch.path);
    expect(statSync(scratch.path).mode & 0o777).toBe(0o700);
  });

  test('one in use that others may write to is refused, with the command that closes it', async () => {
    await using scratch = scratchDirectory();
    await openStateDirectory(scratch.path);
    chmodSync(scratch.path, 0o770);
    await expect(openStateDirectory(scratch.path)).rejects.toMatchObject({
      code: 'config-invalid',
      next: `chmod 700 ${scratch.path}`,
    });
  });

  test.skipIf(process.getuid?.() !== 0)('one of another user is refused', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'state');
    await openStateDirectory(path);
    const { chownSync } = await import('node:fs');
    chownSync(path, 12345, 12345);
    await expect(openStateDirectory(path)).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('12345'),
    });
  });
});

describe('secrets', () => {
  test('a secret comes back and its file is for its owner only', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    await state.writeSecret('agent.key', secret);
    await state.writeSecret('datasets/mail.key', secret);
    expect(await state.readSecret('agent.key')).toEqual(secret);
    expect(await state.readSecret('datasets/mail.key')).toEqual(secret);
    expect(statSync(join(scratch.path, 'agent.key')).mode & 0o777).toBe(0o600);
    await expect(state.readSecret('other.key')).rejects.toMatchObject({ code: 'not-found' });
  });

  test.each([0o640, 0o604, 0o620, 0o601])('a secret with mode %o is refused', async (mode) => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    await state.writeSecret('agent.key', secret);
    const path = join(scratch.path, 'agent.key');
    chmodSync(path, mode);
    await expect(state.readSecret('agent.key')).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(path),
      next: `chmod 600 ${path}`,
    });
    await state.writeSecret('agent.key', secret);
    expect(await state.readSecret('agent.key')).toEqual(secret);
  });

  test('a link in place of a secret is not followed', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(join(scratch.path, 'state'));
    writeFileSync(join(scratch.path, 'elsewhere'), 'planted', { mode: 0o600 });
    symlinkSync(join(scratch.path, 'elsewhere'), join(state.path, 'agent.key'));
    await expect(state.readSecret('agent.key')).rejects.toMatchObject({ code: 'io-error' });
  });

  test('a name that leads out of the state is a bug', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    for (const name of ['../x', '/etc/passwd', 'a/../../x', '', '.hidden', 'a/b/c']) {
      await expect(state.readSecret(name)).rejects.toThrow('inside the state');
    }
  });
});

describe('JSON records', () => {
  test('a record comes back, a missing one is undefined', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    expect(await state.readJson('member.json')).toBeUndefined();
    await state.writeJson('member.json', { name: 'zürich', ports: [1, 2] });
    expect(await state.readJson('member.json')).toEqual({ name: 'zürich', ports: [1, 2] });
  });

  test('a damaged record is reported by its path', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    const path = join(scratch.path, 'member.json');
    for (const content of ['{', '', Uint8Array.of(0x22, 0xff, 0x22)]) {
      writeFileSync(path, content);
      await expect(state.readJson('member.json')).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringContaining(path),
      });
    }
  });

  test('a record in a directory of that name is an error, not a hang', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    mkdirSync(join(scratch.path, 'member.json'));
    await expect(state.readJson('member.json')).rejects.toMatchObject({ code: 'io-error' });
  });
});

describe('the lock of the state directory', () => {
  test('a second holder is told the process id of the first', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    const lock = state.lock();
    expect(() => state.lock()).toThrow(
      expect.objectContaining({
        code: 'state-in-use',
        message: expect.stringContaining(`process ${process.pid}`),
      }),
    );
    await lock[Symbol.asyncDispose]();
    await state.lock()[Symbol.asyncDispose]();
  });

  test('a process that is killed takes its lock with it', async () => {
    await using scratch = scratchDirectory();
    const state = await openStateDirectory(scratch.path);
    const module = new URL('../../../../src/adapters/fs/file-lock.ts', import.meta.url);
    const program = `
      const { lockFile } = await import(process.argv[1]);
      lockFile(process.argv[2]);
      console.log('locked');
      setInterval(() => {}, 1000);`;
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', program, module.href, join(scratch.path, 'lock')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = once(child, 'exit');
    try {
      await once(child.stdout, 'data');
      expect(() => state.lock()).toThrow(`process ${child.pid}`);
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    await state.lock()[Symbol.asyncDispose]();
  });
});
