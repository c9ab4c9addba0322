import { codeOf } from '../../errors.ts';
import { decodeConfig } from './config-codec.ts';
import { problemOfConfig } from './membership.ts';
import type { BodyOf, RaftEntry, RaftMessage } from './types.ts';

/** A whole snapshot is put together in memory; the state of a control log is far smaller. */
export const snapshotSizeMax = 64 * 1024 * 1024 + 4 * 1024;

/**
 * Why a message is nonsense whatever the receiver's state; undefined when it may be meant. Numbers are
 * whole, from 0 to 2^53 - 2 (so that one more is still exact), and an append carries a stretch of a log.
 */
export function nonsenseOf(message: RaftMessage): string | undefined {
  const { body, term, generation } = message;
  if (!isCount(term) || !isCount(generation)) return 'a term or generation is no count';
  if (message.from === message.to) return 'it comes from its receiver';
  switch (body.kind) {
    case 'vote-request':
      return countProblem(term > 0, body.lastIndex, body.lastTerm);
    case 'append-request':
      return countProblem(term > 0, body.commit, body.round) ?? stretchProblem(body, term);
    case 'append-response':
      return countProblem(true, body.matchIndex, body.hintTerm, body.round);
    case 'snapshot-request':
      return countProblem(term > 0, body.round) ?? snapshotProblem(body, term);
    case 'snapshot-response':
      return countProblem(true, body.index, body.nextOffset, body.round);
    case 'vote-response':
    case 'timeout-now':
    case 'fenced':
      return undefined;
    default:
      return 'its kind is not known';
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < Number.MAX_SAFE_INTEGER;
}

function countProblem(hasTerm: boolean, ...values: readonly number[]): string | undefined {
  if (!hasTerm) return 'nobody stands or leads in term 0';
  return values.every(isCount) ? undefined : 'a number is no count';
}

function stretchProblem(body: BodyOf<'append-request'>, term: number): string | undefined {
  const { previousIndex, previousTerm, entries } = body;
  if (!isCount(previousIndex) || !isCount(previousTerm)) return 'its place in the log is no count';
  if (previousIndex === 0 && previousTerm !== 0) return 'there is no term before the first entry';
  let previous: Pick<RaftEntry, 'index' | 'term'> = { index: previousIndex, term: previousTerm };
  for (const entry of entries) {
    if (entry.index !== previous.index + 1 || !isCount(entry.index))
      return 'its entries have a gap';
    if (!isCount(entry.term) || entry.term < previous.term) return 'its terms fall';
    const problem = payloadProblem(entry);
    if (problem !== undefined) return problem;
    previous = entry;
  }
  return previous.term > term ? 'its entries are of later terms' : undefined;
}

function payloadProblem({ kind, payload, term }: RaftEntry): string | undefined {
  if (term === 0) return 'an entry is of term 0';
  if (kind === 'command') return undefined;
  if (kind === 'noop') return payload.length > 0 ? 'an empty entry is not empty' : undefined;
  if (kind !== 'config') return 'the kind of an entry is not known';
  try {
    return problemOfConfig(decodeConfig(payload));
  } catch (error) {
    if (codeOf(error) !== 'bad-encoding') throw error;
    return 'a configuration is malformed';
  }
}

function snapshotProblem(body: BodyOf<'snapshot-request'>, term: number): string | undefined {
  const { index, snapshotTerm, offset, bytes, totalSize } = body;
  if (![index, snapshotTerm, offset, totalSize].every(isCount)) return 'a number is no count';
  if (index === 0 || snapshotTerm === 0 || snapshotTerm > term) return 'its place is impossible';
  if (totalSize > snapshotSizeMax) return 'its snapshot is too large';
  if (offset + bytes.length > totalSize) return 'its bytes reach beyond the snapshot';
  return problemOfConfig(body.config);
}
