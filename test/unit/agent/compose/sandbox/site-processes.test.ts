import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SiteProcesses } from '../../../../../src/agent/compose/sandbox/site-processes.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-processes-'));
  mkdirSync(join(root, 'one'), { mode: 0o700 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function processes(signal = new AbortController().signal): SiteProcesses {
  return new SiteProcesses({ root, signal, configOf: () => ({}) });
}

/** Processes that this one has started and that have not ended. */
function childCount(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length;
}

test('an agent that a signal ends before it answers has failed, and is not waited for', async () => {
  await using own = processes();
  const starting = own.start('one');
  for (const pid of own.pids) process.kill(pid, 'SIGKILL');
  await expect(starting).rejects.toThrow('the agent of one ended with SIGKILL');
});

test('no command outlives its disposal, also when its wait was given up before', async () => {
  const before = childCount();
  const controller = new AbortController();
  const own = processes(controller.signal);
  const running = own.run('one', ['status']);
  expect(childCount()).toBe(before + 1);
  controller.abort();
  await expect(running).rejects.toThrow('aborted');
  await own[Symbol.asyncDispose]();
  // The handle of one that has ended is closed in the next turn of the loop.
  for (let turn = 0; turn < 2; turn++) await new Promise((resume) => setImmediate(resume));
  expect(childCount()).toBe(before);
});

test('nothing starts any more once they are taken down', async () => {
  const own = processes();
  await own[Symbol.asyncDispose]();
  await expect(own.start('one')).rejects.toThrow('taken down');
  await expect(own.run('one', ['status'])).rejects.toThrow('taken down');
});
