import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog } from '../../../../src/adapters/system/log.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { agentMessages } from '../../../../src/core/log-messages/agent.ts';
import { storageMessages } from '../../../../src/core/log-messages/storage.ts';
import type { LogLevel } from '../../../../src/ports/runtime.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

describe('the log', () => {
  test('a line is one JSON object with level, time, message and flat context', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'logs', 'agent.log');
    await using log = openLog({ level: 'info', destination: path });
    log.log('warn', storageMessages.shardQuarantined, { index: 3, name: 'a\nb' });
    const [line] = lines(path);
    expect(line).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      message: 'shard quarantined',
      index: 3,
      name: 'a\nb',
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('lines below the level are dropped', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'agent.log');
    const levels: LogLevel[] = ['debug', 'info', 'warn', 'error'];
    for (const level of levels) {
      await using log = openLog({ level, destination: path });
      for (const written of levels) log.log(written, agentMessages.agentStarted, { at: level });
    }
    const written = levels.map((level) =>
      lines(path)
        .filter(({ at }) => at === level)
        .map(({ level }) => level),
    );
    expect(written).toEqual([levels, levels.slice(1), levels.slice(2), levels.slice(3)]);
  });

  test('errors, bytes, bigints and reserved keys become plain JSON', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'agent.log');
    await using log = openLog({ level: 'info', destination: path });
    const error = new HoldfastError('corrupt', 'it is damaged', { cause: new Error('bit flip') });
    log.log('info', agentMessages.agentStarted, {
      error,
      bytes: Uint8Array.of(1, 255),
      size: 2n ** 64n,
      time: 5,
      level: 6,
    });
    expect(lines(path)[0]).toMatchObject({
      level: 'info',
      message: agentMessages.agentStarted,
      error: '[corrupt] it is damaged: bit flip',
      bytes: '01ff',
      size: '18446744073709551616',
      time_: 5,
      level_: 6,
    });
  });

  test('a file that cannot be opened is an error that names it', async () => {
    await using scratch = scratchDirectory();
    expect(() => openLog({ level: 'info', destination: scratch.path })).toThrow(
      expect.objectContaining({
        code: 'io-error',
        message: expect.stringContaining(scratch.path),
      }),
    );
  });

  test.each([
    ['a full disk', '/dev/full', '"$0" --input-type=module -e "$1"'],
    [
      'a reader that went away',
      'stderr',
      '{ "$0" --input-type=module -e "$1" 2>&1 >&3 | true; } 3>&1',
    ],
  ])('a log that cannot be written (%s) does not stop the program', (_, destination, command) => {
    const module = new URL('../../../../src/adapters/system/log.ts', import.meta.url);
    const program = `
      const { openLog } = await import(${JSON.stringify(module.href)});
      const log = openLog({ level: 'info', destination: '${destination}' });
      for (let i = 0; i < 100; i++) {
        log.log('info', 'a line');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await log[Symbol.asyncDispose]();
      console.log('went on');`;
    const { stdout } = spawnSync('sh', ['-c', command, process.execPath, program], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('went on\n');
  });
});

function lines(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
