import { toHex } from '../../../src/base/bytes.ts';
import { KeyedHasher } from '../../../src/core/crypto/hash.ts';
import { encodeBase, encodeEntries } from '../../../src/core/format/journal-body.ts';
import { encodeRecord } from '../../../src/core/format/journal-record.ts';
import { encodeHeader, encodeMark } from '../../../src/core/format/journal-segment.ts';
import { agentKey, filled } from '../../unit/core/format/samples.ts';
import { founderAlone, log } from './log.ts';
import { badEncoding, damaged, flipped, type VectorList } from './vector-list.ts';

export const salt = filled(0x5a);
const hasher = new KeyedHasher(salt);
const hard = { generation: 1, term: 3, votedFor: agentKey };

export function addJournal(list: VectorList): void {
  const header = encodeHeader(salt);
  list.add('journal header', 'of a segment', header, { value: { salt } });
  list.add('journal header', 'its salt changed', flipped(header, 8), damaged);
  const first = addFirst(list);
  addSecond(list, first);
}

/** @returns the hash of the record */
function addFirst(list: VectorList): Uint8Array {
  const snapshot = { index: 4, term: 1, config: founderAlone, state: filled(2, 5) };
  const body = encodeBase(snapshot);
  const summary = { sequence: 1, hard, lastIndex: 4, lostUpTo: undefined, entryTerm: 1 };
  const record = { kind: 'base', summary, previous: new Uint8Array(32), body } as const;
  const { bytes, hash } = encodeRecord(hasher, record);
  const mark = { summary, hash };
  const markBytes = encodeMark(hasher, mark);
  list.add('journal base', 'a snapshot', body, { value: snapshot });
  list.add('journal base', 'cut short', body.subarray(0, 17), badEncoding);
  list.add('journal record', 'the first', bytes, { id: toHex(hash), value: record });
  list.add('journal record', 'its vote changed', flipped(bytes, 50), damaged);
  list.add('journal record', 'its body changed', flipped(bytes, -1), damaged);
  list.add('journal mark', 'of the first record', markBytes, { value: mark });
  const older = { summary: { ...summary, entryTerm: undefined }, hash };
  list.add('journal mark', 'of before the term of entries was kept', encodeMark(hasher, older), {
    value: older,
  });
  list.add('journal mark', 'its sequence changed', flipped(markBytes, 15), damaged);
  return hash;
}

function addSecond(list: VectorList, previous: Uint8Array): void {
  const change = { truncateFrom: 5, append: log.slice(4) };
  const body = encodeEntries(change);
  const none = { truncateFrom: undefined, append: [] };
  const noVote = { ...hard, votedFor: undefined };
  const summary = { sequence: 2, hard: noVote, lastIndex: 6, lostUpTo: 9, entryTerm: 2 };
  const record = { kind: 'entries', summary, previous, body } as const;
  const { bytes, hash } = encodeRecord(hasher, record);
  list.add('journal entries', 'two in the place of others', body, { value: change });
  list.add('journal entries', 'the hard state alone', encodeEntries(none), { value: none });
  list.add('journal entries', 'more than there are', body.with(11, 3), badEncoding);
  list.add('journal record', 'the second', bytes, { id: toHex(hash), value: record });
}
