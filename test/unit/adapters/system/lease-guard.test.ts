import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { uptimeMs } from '../../../../src/adapters/system/lease-file.ts';
import { ProcessLeaseGuard } from '../../../../src/adapters/system/lease-guard.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

/** A program that is "up" while a file is there. */
function scene(
  root: string,
  change: { start?: string[]; stop?: string[]; watchdog?: string } = {},
) {
  const up = join(root, 'up');
  const programs = {
    start: ['/bin/sh', '-c', `echo started >> ${root}/log; touch ${up}`],
    stop: ['/bin/sh', '-c', `echo stopped >> ${root}/log; rm -f ${up}`],
    ...change,
  };
  const open = () =>
    new ProcessLeaseGuard({
      directory: join(root, 'leases'),
      programs: new Map([['web', programs]]),
    });
  return {
    up,
    open,
    log: () => (existsSync(`${root}/log`) ? readFileSync(`${root}/log`, 'utf8') : ''),
  };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (isSo()) return;
    await after(100);
  }
  throw new Error(`it never came about: ${what}`);
}

test('programs start with the first extension, run on with each, and stop when time is up', async () => {
  await using root = scratchDirectory();
  const { up, open, log } = scene(root.path);
  const guard = open();
  expect(guard.state('web')).toBe('stopped');
  await guard.extend('web', uptimeMs() + 60_000);
  await until('they are up', () => existsSync(up));
  // Another agent in the same place: the guard does not care who speaks to it.
  const second = open();
  expect(second.state('web')).toBe('running');
  await second.extend('web', uptimeMs() + 1500);
  await until('they are down', () => second.state('web') === 'stopped');
  expect(existsSync(up)).toBe(false);
  expect(log()).toBe('started\nstopped\n');
});

test('a time that was shortened counts, one that would be longer does not', async () => {
  await using root = scratchDirectory();
  const { up, open } = scene(root.path);
  const guard = open();
  await guard.extend('web', uptimeMs() + 60_000);
  await until('they are up', () => existsSync(up));
  await guard.shorten('web', uptimeMs() + 3_600_000);
  await guard.shorten('web', uptimeMs());
  await until('they are down', () => !existsSync(up));
});

test('a guard that is ended stops the programs, and one that is killed is replaced without starting them anew', async () => {
  await using root = scratchDirectory();
  const { up, open, log } = scene(root.path);
  const guard = open();
  await guard.extend('web', uptimeMs() + 60_000);
  await until('they are up', () => existsSync(up));
  const pidOf = (): number =>
    (JSON.parse(readFileSync(join(root.path, 'leases/web.report'), 'utf8')) as { guard: number })
      .guard;
  const first = pidOf();
  process.kill(first, 'SIGKILL');
  await until('it is gone', () => !existsSync(`/proc/${first}`) || isDead(first));
  await guard.extend('web', uptimeMs() + 60_000);
  expect(pidOf()).not.toBe(first);
  expect(log()).toBe('started\n');
  process.kill(pidOf(), 'SIGTERM');
  await until('they are down', () => guard.state('web') === 'stopped');
  expect(log()).toBe('started\nstopped\n');
});

test('a stop program that fails is named and tried again, and the watchdog is left hungry meanwhile', async () => {
  await using root = scratchDirectory();
  const device = join(root.path, 'watchdog');
  writeFileSync(device, '');
  const stop = ['/bin/sh', '-c', `test -e ${root.path}/may || { echo not yet; exit 3; }`];
  const { open } = scene(root.path, { stop, watchdog: device });
  const guard = open();
  await guard.extend('web', uptimeMs() + 2000);
  await until('the program fails', () => guard.problem('web') !== undefined);
  expect(guard.problem('web')).toContain('not yet');
  expect(guard.state('web')).toBe('stopping');
  const fed = readFileSync(device, 'latin1');
  expect(fed).toMatch(/^\0+$/);
  mkdirSync(join(root.path, 'may'));
  await until('they are stopped', () => guard.state('web') === 'stopped');
  await until('it is closed', () => readFileSync(device, 'latin1').endsWith('V'));
});

test('programs that are released run on, and are guarded no more', async () => {
  await using root = scratchDirectory();
  const { up, open } = scene(root.path);
  const guard = open();
  await guard.extend('web', uptimeMs() + 60_000);
  await until('they are up', () => existsSync(up));
  await guard.release('web');
  await until('the guard is gone', () => guard.state('web') === 'stopped');
  expect(existsSync(up)).toBe(true);
});

function isDead(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] === 'Z';
}
