import { type AgentKey, idBytes } from '../ids.ts';
import type { HardState } from '../protocol/raft/types.ts';
import type { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { idField, integer, malformed } from './field.ts';
import { putNumber, takeNumber } from './layout-number.ts';

/**
 * What a record of the control journal leads to. Every record and every mark carries it whole, so that a
 * damaged record takes entries with it but never the hard state: any later record or mark still has that.
 */
export type JournalSummary = {
  /** Of the record, from 1; goes on from one segment to the next. */
  readonly sequence: number;
  readonly hard: HardState;
  /** Of the last entry, or of the snapshot when there is none after it. */
  readonly lastIndex: number;
  /** Entries up to here were durable once and are gone; undefined when none are. Above `lastIndex`. */
  readonly lostUpTo: number | undefined;
  /**
   * Not below the term of any entry up to `lastIndex` and `lostUpTo`: what a damaged journal has lost is bounded
   * by it. Undefined without an entry, and in journals of before this was kept.
   */
  readonly entryTerm: number | undefined;
};

/**
 * sequence (8) ‖ generation (8) ‖ term (8) ‖ 1 if voted (1) ‖ entryTerm or 0 (7) ‖ vote (32) ‖ lastIndex (8) ‖
 * lostUpTo or 0 (8)
 */
export const summarySize = 80;

/** Writes a summary, `summarySize` bytes. */
export function putSummary(writer: LayoutWriter, summary: JournalSummary): LayoutWriter {
  const { votedFor, generation, term } = summary.hard;
  for (const value of [summary.sequence, generation, term]) putNumber(writer, value);
  writer.byte(votedFor === undefined ? 0 : 1);
  putEntryTerm(writer, summary.entryTerm ?? 0);
  if (votedFor === undefined) writer.zeros(32);
  else writer.put(idBytes(votedFor));
  putNumber(writer, summary.lastIndex);
  return putNumber(writer, summary.lostUpTo ?? 0);
}

/** Reads a summary. @throws HoldfastError bad-encoding */
export function takeSummary(reader: LayoutReader): JournalSummary {
  const [sequence, generation, term] = [takeNumber(reader), takeNumber(reader), takeNumber(reader)];
  const hasVoted = reader.byte();
  const entryTerm = takeEntryTerm(reader) || undefined;
  if (hasVoted > 1)
    throw malformed(`a record of the control journal has the vote flag ${hasVoted}`);
  const vote = reader.take(32);
  const votedFor = hasVoted === 1 ? idField<AgentKey>(vote, 32, 'a vote') : undefined;
  const lastIndex = takeNumber(reader);
  const lostUpTo = takeNumber(reader) || undefined;
  return { sequence, hard: { generation, term, votedFor }, lastIndex, lostUpTo, entryTerm };
}

/** Seven bytes hold every exact number; they were zeros once. */
function putEntryTerm(writer: LayoutWriter, term: number): void {
  const high = Math.floor(term / 2 ** 32);
  writer
    .byte(Math.floor(high / 2 ** 16))
    .uint16(high % 2 ** 16)
    .uint32(term % 2 ** 32);
}

function takeEntryTerm(reader: LayoutReader): number {
  const high = reader.byte() * 2 ** 16 + reader.uint16();
  const term = high * 2 ** 32 + reader.uint32();
  return integer(term, { min: 0, max: Number.MAX_SAFE_INTEGER }, 'a term in 7 bytes');
}
