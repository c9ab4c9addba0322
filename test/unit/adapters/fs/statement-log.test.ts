import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryStatementLog } from '../../../../src/adapters/fs/memory-statement-log.ts';
import { openStatementLog } from '../../../../src/adapters/fs/statement-log.ts';
import type { StatementLog } from '../../../../src/ports/statement-log.ts';
import {
  sampleEntry,
  sampleStream,
  statementLogContract,
} from '../../../contract/statement-log.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

statementLogContract('the log on disk', async () => {
  const scratch = scratchDirectory();
  return {
    log: await openStatementLog(scratch.path, collectingLog()),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
});

statementLogContract('the log in memory', async () => ({
  log: memoryStatementLog(),
  [Symbol.asyncDispose]: async () => undefined,
}));

const stream = sampleStream('a');
/** Bytes of a record before its envelope, as the format in statement-file.ts says. */
const recordHead = 48;

describe('the statement log on disk', () => {
  test('entries and heads are there after opening again', async () => {
    await using scratch = scratchDirectory();
    await fill(scratch.path, 3);
    const { log, lines } = await reopen(scratch.path);
    expect(log.heads()).toEqual([{ ...stream, sequence: 3, hash: sampleEntry(3).hash }]);
    expect(await log.read(stream, 1, 9)).toEqual(envelopes(1, 2, 3));
    await log.append(stream, sampleEntry(4));
    expect(await log.read(stream, 4, 1)).toEqual(envelopes(4));
    expect(lines).toEqual([]);
  });

  test('an append cut short at any byte is removed, and nothing before it', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 2);
    const end = readFileSync(path).length;
    await (await reopen(scratch.path)).log.append(stream, sampleEntry(3));
    const whole = readFileSync(path);
    for (const size of [
      end + 1,
      end + 8,
      end + recordHead,
      end + recordHead + 50,
      whole.length - 1,
    ]) {
      writeFileSync(path, whole.subarray(0, size));
      const { log, lines } = await reopen(scratch.path);
      expect(log.head(stream)?.sequence).toBe(2);
      expect(lines).toMatchObject([{ level: 'warn', context: { kept: 2 } }]);
      expect(readFileSync(path)).toHaveLength(end);
    }
    const { log } = await reopen(scratch.path);
    await log.append(stream, sampleEntry(3));
    expect(await log.read(stream, 1, 9)).toEqual(envelopes(1, 2, 3));
    expect(readdirSync(scratch.path)).toHaveLength(1);
  });

  test('zeros at the end, as a power failure leaves them, are removed', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 2);
    appendFileSync(path, new Uint8Array(5000));
    const { log } = await reopen(scratch.path);
    expect(log.head(stream)?.sequence).toBe(2);
    expect(readdirSync(scratch.path)).toHaveLength(1);
  });

  test('a damaged last entry that reaches the end is taken as an unfinished append', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 3);
    flip(path, -1);
    const { log, lines } = await reopen(scratch.path);
    expect(log.head(stream)?.sequence).toBe(2);
    expect(lines).toMatchObject([{ level: 'warn' }]);
  });

  test('damage in the middle keeps what is before, and all of the file aside', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 5);
    const start = readFileSync(path).indexOf(sampleEntry(3).envelope);
    // Each field of the third record: size, checksum, sequence, hash, envelope.
    for (const at of [start - recordHead + 1, start - 42, start - 33, start - 10, start + 5]) {
      const sound = readFileSync(path);
      flip(path, at);
      const bad = readFileSync(path);
      const { log, lines } = await reopen(scratch.path);
      expect(log.head(stream)).toEqual({ ...stream, sequence: 2, hash: sampleEntry(2).hash });
      expect(await log.read(stream, 1, 9)).toEqual(envelopes(1, 2));
      expect(lines).toMatchObject([{ level: 'error', context: { ...stream, kept: 2 } }]);
      expect(readFileSync(lines[0]?.context.aside as string)).toEqual(bad);
      writeFileSync(path, sound);
    }
    const aside = readdirSync(scratch.path).filter((name) => name.includes('.damaged-'));
    expect(aside).toHaveLength(5);
  });

  test('entries lost to damage can be appended again', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 4);
    flip(path, readFileSync(path).indexOf(sampleEntry(2).envelope));
    const { log } = await reopen(scratch.path);
    for (const sequence of [2, 3, 4]) await log.append(stream, sampleEntry(sequence));
    const again = await reopen(scratch.path);
    expect(await again.log.read(stream, 1, 9)).toEqual(envelopes(1, 2, 3, 4));
    expect(again.lines).toEqual([]);
  });

  test('damage in the middle of a long file is found although the rest is larger than one entry', async () => {
    await using scratch = scratchDirectory();
    const { log } = await reopen(scratch.path);
    for (let n = 1; n <= 6; n++) await log.append(stream, sampleEntry(n, 200_000));
    const [path] = files(scratch.path) as [string];
    flip(path, 250_000);
    const again = await reopen(scratch.path);
    expect(again.log.head(stream)?.sequence).toBe(1);
    expect(again.lines).toMatchObject([{ level: 'error' }]);
  });

  test('a file with a damaged header is put aside, and its sequence starts anew', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 2);
    flip(path, 20);
    const { log, lines } = await reopen(scratch.path);
    expect(log.heads()).toEqual([]);
    expect(lines).toMatchObject([{ level: 'error' }]);
    expect(existsSync(`${path}.damaged-0`)).toBe(true);
    await log.append(stream, sampleEntry(1));
    expect((await reopen(scratch.path)).log.head(stream)?.sequence).toBe(1);
  });

  test('swapped files are put aside: each says whose it is', async () => {
    await using scratch = scratchDirectory();
    await fill(scratch.path, 2);
    const { log } = await reopen(scratch.path);
    await log.append(sampleStream('b'), sampleEntry(1));
    const [one, two] = files(scratch.path) as [string, string];
    copyFileSync(one, join(scratch.path, 'kept'));
    renameSync(two, one);
    renameSync(join(scratch.path, 'kept'), two);
    const again = await reopen(scratch.path);
    expect(again.log.heads()).toEqual([]);
    expect(again.lines).toHaveLength(2);
  });

  test('a crash before the first entry was in place leaves nothing', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 1);
    renameSync(path, join(scratch.path, '.x.log.123456.tmp'));
    const { log, lines } = await reopen(scratch.path);
    expect(log.heads()).toEqual([]);
    expect(lines).toEqual([]);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('an entry that rots while the log is open is not handed out', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 3);
    const { log } = await reopen(scratch.path);
    flip(path, readFileSync(path).indexOf(sampleEntry(2).envelope));
    await expect(log.read(stream, 1, 3)).rejects.toMatchObject({
      code: 'corrupt',
      details: { sequence: 2 },
    });
    expect(await log.read(stream, 3, 1)).toEqual(envelopes(3));
  });

  test('an append that fails leaves the log as it was, and can be tried again', async () => {
    await using scratch = scratchDirectory();
    const path = await fill(scratch.path, 1);
    const { log } = await reopen(scratch.path);
    renameSync(path, `${path}.away`);
    await expect(log.append(stream, sampleEntry(2))).rejects.toMatchObject({ code: 'not-found' });
    expect(log.head(stream)?.sequence).toBe(1);
    renameSync(`${path}.away`, path);
    await log.append(stream, sampleEntry(2));
    expect(await log.read(stream, 1, 9)).toEqual(envelopes(1, 2));
  });
});

async function reopen(directory: string) {
  const collected = collectingLog();
  return { log: await openStatementLog(directory, collected), lines: collected.lines };
}

/** @returns the path of the only file. */
async function fill(directory: string, count: number): Promise<string> {
  const log: StatementLog = await openStatementLog(directory, collectingLog());
  for (let n = 1; n <= count; n++) await log.append(stream, sampleEntry(n));
  return files(directory)[0] as string;
}

function files(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(directory, name));
}

function envelopes(...sequences: number[]): Uint8Array[] {
  return sequences.map((sequence) => sampleEntry(sequence).envelope);
}

/** A negative position counts from the end. */
function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  const at = position < 0 ? bytes.length + position : position;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}
