import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemHooks } from '../../../../src/adapters/system/hook.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const hooks = systemHooks();

function shell(script: string): string[] {
  return ['sh', '-c', script];
}

test('a program that ends with code 0 is done, and what it wrote to both outputs is kept', async () => {
  const argv = shell('echo out; echo err >&2');
  const result = await hooks.run({ argv, environment: {} }, { timeoutMs: 5000 });
  expect(result).toMatchObject({ isDone: true, detail: 'sh ended with code 0' });
  expect(result.output.split('\n').sort()).toEqual(['err', 'out']);
});

test('any other end is a failure that says how it ended', async () => {
  const run = (argv: string[]): Promise<{ isDone: boolean; detail: string }> =>
    hooks.run({ argv, environment: {} }, { timeoutMs: 5000 });
  expect(await run(shell('exit 3'))).toMatchObject({
    isDone: false,
    detail: 'sh ended with code 3',
  });
  expect(await run(shell('kill -9 $$'))).toMatchObject({
    isDone: false,
    detail: 'sh was killed by SIGKILL',
  });
  expect(await run(['/nonexistent/program'])).toMatchObject({
    isDone: false,
    detail: '/nonexistent/program cannot be started: ENOENT',
  });
});

test('no shell reads the arguments, and the environment is what was given and PATH', async () => {
  const environment = { HOLDFAST_STEP: 'db start' };
  const echo = await hooks.run(
    { argv: ['printf', '%s', '$HOME; `id` *'], environment },
    { timeoutMs: 5000 },
  );
  expect(echo.output).toBe('$HOME; `id` *');
  const env = await hooks.run({ argv: ['env'], environment }, { timeoutMs: 5000 });
  const names = env.output.split('\n').map((line) => line.split('=')[0]);
  expect(names.sort()).toEqual(['HOLDFAST_STEP', 'PATH']);
  expect(env.output).toContain('HOLDFAST_STEP=db start');
});

test('of much output the end is kept, and nothing in it commands a terminal', async () => {
  const script = 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf "\\033[2J"';
  const { output } = await hooks.run({ argv: shell(script), environment: {} }, { timeoutMs: 5000 });
  expect(output.length).toBeLessThanOrEqual(4096);
  expect(output.length).toBeGreaterThan(3500);
  expect(output.endsWith('line 1999\n\\x1b[2J')).toBe(true);
});

/** Shows that it lives by counting in a file. */
function counting(file: string): string {
  return `i=0; while :; do i=$((i+1)); echo $i > ${file}; sleep 0.02; done`;
}

test('at the time limit the whole group is killed, however deaf it is', async () => {
  await using scratch = scratchDirectory();
  const file = join(scratch.path, 'count');
  const script = `trap '' TERM; (${counting(file)}) & ${counting(`${file}2`)}`;
  const started = performance.now();
  const result = await hooks.run({ argv: shell(script), environment: {} }, { timeoutMs: 500 });
  expect(result).toMatchObject({ isDone: false });
  expect(result.detail).toBe('sh was stopped: it took longer than 0.5 s');
  expect(performance.now() - started).toBeLessThan(8000);
  await expectStill(file);
  await expectStill(`${file}2`);
});

test('a cancelled program is gone before the call ends', async () => {
  await using scratch = scratchDirectory();
  const file = join(scratch.path, 'count');
  const stop = new AbortController();
  const running = hooks.run(
    { argv: shell(counting(file)), environment: {} },
    { timeoutMs: 60_000, signal: stop.signal },
  );
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') await after(10);
  stop.abort(new HoldfastError('interrupted', 'enough'));
  await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  await expectStill(file);
  const touch = { argv: ['touch', `${file}2`], environment: {} };
  const none = hooks.run(touch, { timeoutMs: 1000, signal: stop.signal });
  await expect(none).rejects.toMatchObject({ code: 'interrupted' });
  expect(existsSync(`${file}2`)).toBe(false);
});

test('a server that a hook has started goes on after it', async () => {
  await using scratch = scratchDirectory();
  const file = join(scratch.path, 'alive');
  // It holds the hook's outputs, and writes to them when nobody listens any more.
  const script = `(sleep 0.4; echo more; sleep 0.1; echo more; touch ${file}) & exit 0`;
  const started = performance.now();
  const result = await hooks.run({ argv: shell(script), environment: {} }, { timeoutMs: 5000 });
  expect(result.isDone).toBe(true);
  expect(performance.now() - started).toBeLessThan(450);
  for (let i = 0; i < 100 && !existsSync(file); i++) await after(20);
  expect(existsSync(file)).toBe(true);
});

/** Something has been counted, and nobody counts any more. */
async function expectStill(file: string): Promise<void> {
  const count = readFileSync(file, 'utf8');
  await after(200);
  expect(readFileSync(file, 'utf8')).toBe(count);
}
