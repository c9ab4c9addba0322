import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAuditStore } from '../../../../src/adapters/fs/audit-store.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

let scratch: ReturnType<typeof scratchDirectory>;
const log = { log: () => undefined };

beforeEach(() => {
  scratch = scratchDirectory();
});

afterEach(() => scratch[Symbol.asyncDispose]());

function file(number: number): string {
  return join(scratch.path, `log-${number}`);
}

async function putAside(): Promise<readonly number[]> {
  await using store = await openAuditStore(scratch.path, log);
  return store.putAside;
}

async function entries(): Promise<{ number: number; texts: string[] }> {
  await using store = await openAuditStore(scratch.path, log);
  const found = await store.read(0, store.size);
  return { number: store.number, texts: found.map((one) => new TextDecoder().decode(one)) };
}

async function append(...texts: string[]): Promise<void> {
  await using store = await openAuditStore(scratch.path, log);
  await store.append(texts.map(utf8));
}

describe('the file of an audit log', () => {
  test('gives back what was appended, over several openings', async () => {
    await append('one', 'two');
    await append('three');
    expect(await entries()).toEqual({ number: 1, texts: ['one', 'two', 'three'] });
  });

  test('loses nothing but a torn end', async () => {
    await append('one', 'two');
    const whole = readFileSync(file(1));
    for (let size = whole.length - 8; size < whole.length; size++) {
      writeFileSync(file(1), whole.subarray(0, size));
      expect((await entries()).texts, `${size} bytes`).toEqual(['one']);
    }
  });

  test('cuts off garbage after the last entry, and goes on', async () => {
    await append('one');
    appendFileSync(file(1), Buffer.from([0, 9, 1, 2, 3]));
    await append('two');
    expect((await entries()).texts).toEqual(['one', 'two']);
  });

  test('puts a log aside whose middle was changed, and begins the next', async () => {
    await append('one', 'two', 'three');
    const bytes = readFileSync(file(1));
    bytes[10] = (bytes[10] as number) ^ 1;
    writeFileSync(file(1), bytes);
    expect(await putAside()).toEqual([1]);
    expect(await entries()).toEqual({ number: 2, texts: [] });
    expect(await putAside(), 'also at later starts').toEqual([1]);
    expect(existsSync(`${file(1)}.damaged`)).toBe(true);
    await append('anew');
    expect(await entries()).toEqual({ number: 2, texts: ['anew'] });
    expect(readdirSync(scratch.path).sort()).toEqual(['log-1.damaged', 'log-2']);
  });

  test('does not take back a number after the newest log was deleted', async () => {
    await append('one', 'two');
    const bytes = readFileSync(file(1));
    bytes[8] = (bytes[8] as number) ^ 1;
    writeFileSync(`${file(1)}.damaged`, bytes);
    writeFileSync(file(1), bytes);
    expect((await entries()).number).toBe(2);
  });
});
