import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../../base/units.ts';
import { hashSize, KeyedHasher } from '../../core/crypto/hash.ts';
import { encodeBase, encodeEntries, entryOverhead } from '../../core/format/journal-body.ts';
import { encodeRecord, type JournalRecordKind } from '../../core/format/journal-record.ts';
import {
  encodeHeader,
  encodeMark,
  type JournalMark,
  markOffset,
  markOffsets,
  recordsOffset,
} from '../../core/format/journal-segment.ts';
import { JournalState } from '../../core/format/journal-state.ts';
import type { JournalSummary } from '../../core/format/journal-summary.ts';
import type { RaftEntry } from '../../core/protocol/raft/types.ts';
import { syncOnce, temporarySuffix } from './atomic-write.ts';
import { publishSegment, segmentName } from './control-journal-files.ts';
import { writeFully } from './file-access.ts';

/** Of one record when a segment begins: what is encoded at once. */
const batchBytesMax = 4 * MiB;

export type SegmentEnd = { readonly last: JournalMark; readonly end: number };

/** The file that grows. After any failure it must not be used again: its end is not known any more. */
export class JournalSegment {
  readonly name: string;
  readonly salt: Uint8Array;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hasher: KeyedHasher;
  #last: JournalMark;
  #end: number;

  /** Goes on after a scan; the file belongs to the segment from now on. */
  constructor(
    file: FileHandle,
    options: { directory: string; name: string; salt: Uint8Array } & SegmentEnd,
  ) {
    this.name = options.name;
    this.salt = options.salt;
    this.#path = join(options.directory, options.name);
    this.#file = file;
    this.#hasher = new KeyedHasher(options.salt);
    this.#last = options.last;
    this.#end = options.end;
  }

  /**
   * Begins a segment that holds all of a state; durable, and the one that counts, when resolved. Until then the
   * older one does. `after`: the newest record that is known of this journal.
   */
  static async begin(
    directory: string,
    options: { salt: Uint8Array; state: JournalState; after: JournalMark | undefined },
  ): Promise<JournalSegment> {
    const previous = options.after?.summary.sequence ?? 0;
    const name = segmentName(previous + 1);
    const path = join(directory, name);
    const temporary = `${path}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
    const file = await open(temporary, 'wx+', 0o600);
    try {
      const summary = options.state.summary(previous);
      const last = options.after ?? { summary, hash: new Uint8Array(hashSize) };
      const at = { directory, name, salt: options.salt, last, end: recordsOffset };
      const segment = new JournalSegment(file, at);
      await writeFully(file, 0, encodeHeader(options.salt));
      await segment.#putState(options.state);
      // Both, so that an unreadable one is always a sign of damage.
      for (const offset of markOffsets) await segment.#mark(offset);
      await syncOnce(() => file.sync(), path);
      await publishSegment(temporary, path);
      return segment;
    } catch (error) {
      await file.close();
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** What the newest record says. */
  get last(): JournalMark {
    return this.#last;
  }

  get nextSequence(): number {
    return this.#last.summary.sequence + 1;
  }

  /** Durable when resolved, with one sync. */
  async append(summary: JournalSummary, body: Uint8Array): Promise<void> {
    await this.#put('entries', summary, body);
    await this.#syncAndMark(this.#last.summary.sequence);
  }

  /** Makes what is there durable, and both marks sound: one after the other, so that no crash damages both. */
  async confirm(): Promise<void> {
    await this.#syncAndMark(this.nextSequence);
    await this.#syncAndMark(this.#last.summary.sequence);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #putState(state: JournalState): Promise<void> {
    const { hard, snapshot, entries } = state.stored();
    const empty = { hard, snapshot, entries: [] };
    const growing = new JournalState(empty, state.lostUpTo, state.lostTerm);
    await this.#put('base', growing.summary(this.nextSequence), encodeBase(snapshot));
    for (const append of batches(entries)) {
      growing.apply({ append });
      const body = encodeEntries({ truncateFrom: undefined, append });
      await this.#put('entries', growing.summary(this.nextSequence), body);
    }
  }

  async #put(kind: JournalRecordKind, summary: JournalSummary, body: Uint8Array): Promise<void> {
    const previous = this.#last.hash;
    const { bytes, hash } = encodeRecord(this.#hasher, { kind, summary, previous, body });
    await writeFully(this.#file, this.#end, bytes);
    this.#end += bytes.length;
    this.#last = { summary, hash };
  }

  /** The mark comes after the sync, since it says that there was one. It needs none itself: see JournalScan. */
  async #syncAndMark(place: number): Promise<void> {
    await syncOnce(() => this.#file.datasync(), this.#path);
    await this.#mark(markOffset(place));
  }

  async #mark(offset: number): Promise<void> {
    await writeFully(this.#file, offset, encodeMark(this.#hasher, this.#last));
  }
}

function batches(entries: readonly RaftEntry[]): RaftEntry[][] {
  const all: RaftEntry[][] = [];
  let size = batchBytesMax;
  for (const entry of entries) {
    const own = entry.payload.length + entryOverhead;
    if (size + own > batchBytesMax) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(entry);
    size += own;
  }
  return all;
}
