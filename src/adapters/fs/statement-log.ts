import { constants, copyFile, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { concat } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { Log } from '../../ports/runtime.ts';
import type { LogHead, StatementLog, StreamName } from '../../ports/statement-log.ts';
import { syncDirectory, syncOnce, temporarySuffix, writeDurable } from './atomic-write.ts';
import { isFile, readFully, writeFully } from './file-access.ts';
import {
  decodeRecord,
  encodeHeader,
  encodeRecord,
  type LogEntry,
  type LogScan,
  logFileName,
  scanLogFile,
} from './statement-file.ts';
import { systemError } from './system-error.ts';
import { Turns } from '../../base/turns.ts';

/** Damaged states kept of one file; more would say nothing new. */
const damagedCountMax = 8;

/** One sequence: where its records stand in its file. */
type Sequence = {
  readonly name: StreamName;
  readonly offsets: number[];
  hash: Uint8Array;
  end: number;
};

/**
 * Opens the log in `directory`, which exists. An append that a crash cut short is removed. Where confirmed
 * entries are damaged, the file is kept aside and the good beginning goes on: peers have the others.
 * @throws HoldfastError io-error
 */
export async function openStatementLog(directory: string, log: Log): Promise<StatementLog> {
  const sequences = new Map<string, Sequence>();
  try {
    for (const fileName of await readdir(directory)) {
      const path = join(directory, fileName);
      if (fileName.endsWith(temporarySuffix)) await rm(path, { force: true });
      if (!fileName.endsWith('.log')) continue;
      const sequence = await openSequence(path, fileName, log);
      if (sequence !== undefined) sequences.set(keyOf(sequence.name), sequence);
    }
  } catch (error) {
    throw systemError(error, `open the statement log in ${directory}`);
  }
  await syncDirectory(directory);
  return new FileStatementLog(directory, sequences);
}

async function openSequence(
  path: string,
  fileName: string,
  log: Log,
): Promise<Sequence | undefined> {
  const file = await open(path, 'r+');
  let scan: LogScan | undefined;
  try {
    scan = await scanLogFile(file);
    if (scan !== undefined && logFileName(scan.name) !== fileName) scan = undefined;
    if (scan !== undefined) await cutRest(file, path, scan, log);
  } finally {
    await file.close();
  }
  if (scan?.hash !== undefined) return { ...scan, hash: scan.hash };
  // Where the header could be read, what was behind it has been copied already.
  const kept = scan === undefined ? await freeDamagedPath(path) : undefined;
  if (kept === undefined) await rm(path);
  else await rename(path, kept);
  log.log('error', agentMessages.statementFileUnreadable, {
    file: path,
    kept: kept ?? 'no',
  });
  return undefined;
}

async function cutRest(file: FileHandle, path: string, scan: LogScan, log: Log): Promise<void> {
  const context = { file: path, ...scan.name, kept: scan.offsets.length };
  if (scan.rest === 'torn') {
    log.log('warn', agentMessages.unfinishedAppendRemoved, context);
  }
  if (scan.rest === 'damaged') {
    const aside = await freeDamagedPath(path);
    if (aside !== undefined) await copyFile(path, aside, constants.COPYFILE_EXCL);
    log.log('error', agentMessages.statementLogDamaged, {
      ...context,
      aside: aside ?? 'no',
    });
  }
  if (scan.rest !== 'nothing') await file.truncate(scan.end);
  // The process that appended last may have died before its sync.
  await syncOnce(() => file.datasync(), path);
}

async function freeDamagedPath(path: string): Promise<string | undefined> {
  for (let n = 0; n < damagedCountMax; n++) {
    const candidate = `${path}.damaged-${n}`;
    if (!(await isFile(candidate))) return candidate;
  }
  return undefined;
}

class FileStatementLog implements StatementLog {
  readonly #directory: string;
  readonly #sequences: Map<string, Sequence>;
  readonly #turns = new Turns();
  /** A failed sync: nothing may be called durable any more. */
  #fatal: unknown;

  constructor(directory: string, sequences: Map<string, Sequence>) {
    this.#directory = directory;
    this.#sequences = sequences;
  }

  heads(): readonly LogHead[] {
    return [...this.#sequences.values()].map(headOf);
  }

  head(stream: StreamName): LogHead | undefined {
    const sequence = this.#sequences.get(keyOf(stream));
    return sequence === undefined ? undefined : headOf(sequence);
  }

  async append(stream: StreamName, entry: LogEntry): Promise<void> {
    const key = keyOf(stream);
    const release = await this.#turns.take(key);
    try {
      if (this.#fatal !== undefined) throw this.#fatal;
      const sequence = this.#sequences.get(key);
      assert(
        entry.sequence === (sequence?.offsets.length ?? 0) + 1,
        'an entry follows the head of its sequence',
      );
      if (sequence === undefined) this.#sequences.set(key, await this.#begin(stream, entry));
      else await this.#extend(sequence, entry);
    } catch (error) {
      if (error instanceof HoldfastError && error.details.fatal === true) this.#fatal ??= error;
      throw error;
    } finally {
      release();
    }
  }

  async read(stream: StreamName, from: number, count: number): Promise<Uint8Array[]> {
    const sequence = this.#sequences.get(keyOf(stream));
    const first = sequence?.offsets[from - 1];
    if (sequence === undefined || first === undefined || count < 1) return [];
    const last = Math.min(from + count - 1, sequence.offsets.length);
    const end = sequence.offsets[last] ?? sequence.end;
    const bytes = await this.#readRange(sequence, first, end - first);
    const envelopes: Uint8Array[] = [];
    for (let at = 0, number = from; number <= last; number++) {
      const record = decodeRecord(bytes.subarray(at));
      if (record?.sequence !== number) throw this.#damaged(sequence, number);
      envelopes.push(record.envelope.slice());
      at += record.size;
    }
    return envelopes;
  }

  async putAside(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.#directory);
      return names.filter((name) => /\.log\.damaged-\d+$/.test(name)).sort();
    } catch (error) {
      throw systemError(error, `list the statement log in ${this.#directory}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every append is durable, and no file stays open.
  }

  /** The file appears with its first record in it, so that no crash leaves one without a header. */
  async #begin(name: StreamName, entry: LogEntry): Promise<Sequence> {
    const header = encodeHeader(name);
    const record = encodeRecord(entry);
    await writeDurable(this.#path(name), concat([header, record]));
    return {
      name: { writer: name.writer, stream: name.stream },
      offsets: [header.length],
      hash: entry.hash.slice(),
      end: header.length + record.length,
    };
  }

  async #extend(sequence: Sequence, entry: LogEntry): Promise<void> {
    const record = encodeRecord(entry);
    const path = this.#path(sequence.name);
    try {
      const file = await open(path, 'r+');
      try {
        await writeRecord(file, record, sequence.end, path);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw systemError(error, `write ${path}`);
    }
    sequence.offsets.push(sequence.end);
    sequence.end += record.length;
    sequence.hash = entry.hash.slice();
  }

  async #readRange(sequence: Sequence, position: number, size: number): Promise<Uint8Array> {
    const path = this.#path(sequence.name);
    try {
      const file = await open(path, 'r');
      try {
        return await readFully(file, position, size);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw systemError(error, `read ${path}`);
    }
  }

  #damaged({ name }: Sequence, sequence: number): HoldfastError {
    return new HoldfastError(
      'corrupt',
      `statement ${sequence} of ${name.writer} in "${name.stream}" is damaged on disk`,
      {
        next: 'start the agent again: it pulls the lost entries from its peers',
        details: { path: this.#path(name), sequence },
      },
    );
  }

  #path(name: StreamName): string {
    return join(this.#directory, logFileName(name));
  }
}

async function writeRecord(
  file: FileHandle,
  record: Uint8Array,
  end: number,
  path: string,
): Promise<void> {
  try {
    await writeFully(file, end, record);
    await syncOnce(() => file.datasync(), path);
  } catch (error) {
    // Not confirmed, so the next start must not find it: after a failed sync it may be in memory only.
    await file.truncate(end).catch(() => undefined);
    throw error;
  }
}

function headOf({ name, offsets, hash }: Sequence): LogHead {
  return { writer: name.writer, stream: name.stream, sequence: offsets.length, hash: hash.slice() };
}

function keyOf({ writer, stream }: StreamName): string {
  return `${writer}/${stream}`;
}
