import type { FileHandle } from 'node:fs/promises';
import { assert } from '../../base/assert.ts';
import { equal } from '../../base/bytes.ts';
import { KeyedHasher } from '../../core/crypto/hash.ts';
import { decodeBase, decodeEntries } from '../../core/format/journal-body.ts';
import {
  decodeHeader,
  decodeMark,
  headerSize,
  type JournalMark,
  markOffsets,
  markSize,
  recordsOffset,
} from '../../core/format/journal-segment.ts';
import { JournalState } from '../../core/format/journal-state.ts';
import { type FoundRecord, JournalReader } from './control-journal-reader.ts';
import { readFully } from './file-access.ts';

/**
 * What a segment holds. Nothing is guessed: the outcome follows from these facts alone.
 *
 * - The records that follow each other without a gap from the first one on are good.
 * - A mark says that its record was durable. After a crash at most one record has none, the last one.
 * - So bytes after the good records are torn when no mark and no later record speaks of anything after them;
 *   else something durable is damaged. A segment that ends before its newest mark is damaged too.
 * - Where such bytes stand and a mark is unreadable, both could be true: the segment is lost.
 * - The hard state is that of the newest record or mark, which each carry it whole.
 */
export type JournalScan =
  | { readonly kind: 'lost'; readonly reason: string }
  | (GoodPart & {
      readonly kind: 'sound' | 'torn';
      /** False for a last record that may not have been synced before the process ended. */
      readonly isLastMarked: boolean;
    })
  | (GoodPart & {
      readonly kind: 'damaged';
      readonly newest: JournalMark;
      readonly reason: string;
    });

type GoodPart = {
  readonly salt: Uint8Array;
  readonly state: JournalState;
  readonly last: JournalMark;
  /** Where the last good record starts and ends. */
  readonly lastStart: number;
  readonly end: number;
};

/** Reads a segment through. @throws HoldfastError bad-encoding (of a later version) | errors of the file */
export async function scanSegment(file: FileHandle, firstSequence: number): Promise<JournalScan> {
  const { size } = await file.stat();
  const salt = decodeHeader(await readFully(file, 0, headerSize));
  if (salt === undefined) return lost('its header is damaged');
  const hasher = new KeyedHasher(salt);
  const marks = await readMarks(file, hasher);
  const mark = newestOf(marks);
  if (mark === undefined) return lost('both marks are damaged');
  const reader = new JournalReader(file, size, hasher);
  const good = await readGood(reader, firstSequence, salt);
  if (good === undefined) return lost('its snapshot is damaged');
  const { last } = good;
  if (mark.summary.sequence === last.summary.sequence && !equal(mark.hash, last.hash)) {
    return lost('a mark is of another history');
  }
  const later = await newestAfter(reader, good);
  const newest = newestOf([mark, ...later.found]) ?? mark;
  if (later.hasUnexplained && marks.length < markOffsets.length) {
    return lost('its end and a mark are damaged, so nobody knows what was durable');
  }
  if (newest.summary.sequence > last.summary.sequence) {
    return { kind: 'damaged', ...good, newest, reason: damageOf(good, newest) };
  }
  const isLastMarked = mark.summary.sequence === last.summary.sequence;
  return { kind: good.end < size ? 'torn' : 'sound', ...good, isLastMarked };
}

async function readMarks(file: FileHandle, hasher: KeyedHasher): Promise<JournalMark[]> {
  const marks: JournalMark[] = [];
  for (const offset of markOffsets) {
    const mark = decodeMark(hasher, await readFully(file, offset, markSize));
    if (mark !== undefined) marks.push(mark);
  }
  return marks;
}

function newestOf(marks: readonly JournalMark[]): JournalMark | undefined {
  const sequenceMax = Math.max(...marks.map(({ summary }) => summary.sequence));
  return marks.find(({ summary }) => summary.sequence === sequenceMax);
}

/** The records from the first one on; undefined when that is not good. */
async function readGood(
  reader: JournalReader,
  firstSequence: number,
  salt: Uint8Array,
): Promise<GoodPart | undefined> {
  const base = await reader.recordAt(recordsOffset);
  if (base?.head.kind !== 'base' || base.head.summary.sequence !== firstSequence) return undefined;
  const { hard, lostUpTo, entryTerm } = base.head.summary;
  const stored = { hard, snapshot: decodeBase(base.body), entries: [] };
  const state = new JournalState(stored, lostUpTo, entryTerm);
  let last = base;
  for (;;) {
    const next = await reader.recordAt(last.end);
    if (next === undefined || !follows(next, last)) break;
    state.apply({ hard: next.head.summary.hard, ...definedChange(next.body) });
    assert(state.lastIndex === next.head.summary.lastIndex, 'a summary says what its record did');
    last = next;
  }
  return { salt, state, last: last.head, lastStart: last.start, end: last.end };
}

function follows({ head }: FoundRecord, last: FoundRecord): boolean {
  const isNext = head.summary.sequence === last.head.summary.sequence + 1;
  return isNext && head.kind === 'entries' && equal(head.previous, last.head.hash);
}

function definedChange(body: Uint8Array) {
  const { truncateFrom, append } = decodeEntries(body);
  return truncateFrom === undefined ? { append } : { truncateFrom, append };
}

/**
 * Records after the good ones. `hasUnexplained`: bytes stand at the end that are of no such record, and
 * might be of one that was durable.
 */
async function newestAfter(
  reader: JournalReader,
  { end, last }: GoodPart,
): Promise<{ found: JournalMark[]; hasUnexplained: boolean }> {
  const found: JournalMark[] = [];
  let at = end;
  for (;;) {
    const record = await reader.recordFrom(at);
    if (record === undefined) break;
    if (record.head.summary.sequence > last.summary.sequence) found[0] = record.head;
    at = record.end;
  }
  return { found, hasUnexplained: at < reader.size };
}

function damageOf({ last, end }: GoodPart, newest: JournalMark): string {
  const records = newest.summary.sequence - last.summary.sequence;
  return `${records} durable records are damaged or gone from byte ${end} on`;
}

function lost(reason: string): JournalScan {
  return { kind: 'lost', reason };
}
