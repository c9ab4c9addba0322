import { describe, expect, test } from 'vitest';
import { concat } from '../../../../src/base/bytes.ts';
import { KeyedHasher } from '../../../../src/core/crypto/hash.ts';
import {
  decodeBase,
  decodeEntries,
  encodeBase,
  encodeEntries,
} from '../../../../src/core/format/journal-body.ts';
import {
  decodeRecordHead,
  encodeRecord,
  recordHeadSize,
} from '../../../../src/core/format/journal-record.ts';
import {
  decodeHeader,
  decodeMark,
  encodeHeader,
  encodeMark,
} from '../../../../src/core/format/journal-segment.ts';
import { JournalState } from '../../../../src/core/format/journal-state.ts';
import type { JournalSummary } from '../../../../src/core/format/journal-summary.ts';
import {
  sampleEntries,
  sampleKey,
  sampleSnapshot,
  sampleStored,
} from '../../../contract/control-journal.ts';

const hasher = new KeyedHasher(new Uint8Array(32).fill(1));
const previous = new Uint8Array(32).fill(2);
const body = Uint8Array.of(1, 2, 3);
const summary: JournalSummary = {
  sequence: 2 ** 40,
  hard: { generation: 2, term: Number.MAX_SAFE_INTEGER, votedFor: sampleKey(3) },
  lastIndex: 7,
  lostUpTo: 9,
  entryTerm: Number.MAX_SAFE_INTEGER - 2,
};
const { bytes, hash } = encodeRecord(hasher, { kind: 'entries', summary, previous, body });
const refused = expect.objectContaining({ code: 'bad-encoding' });

describe('a record of the control journal', () => {
  test('comes back as it was', () => {
    const head = decodeRecordHead(hasher, bytes);
    expect(head).toMatchObject({ kind: 'entries', summary, previous, bodySize: 3, hash });
    expect(head?.bodyHash).toEqual(hasher.hash(body));
    expect(bytes.subarray(recordHeadSize)).toEqual(body);
    const plain = {
      ...summary,
      hard: { ...summary.hard, votedFor: undefined },
      lostUpTo: undefined,
      entryTerm: undefined,
    };
    const base = encodeRecord(hasher, { kind: 'base', summary: plain, previous, body });
    expect(decodeRecordHead(hasher, base.bytes)).toMatchObject({ kind: 'base', summary: plain });
  });

  test('is none with any bit of its head flipped, cut short, or under another salt', () => {
    for (let at = 0; at < recordHeadSize; at++) {
      const bad = bytes.with(at, (bytes[at] as number) ^ (1 << (at % 8)));
      expect(decodeRecordHead(hasher, bad)).toBeUndefined();
    }
    expect(decodeRecordHead(hasher, bytes.subarray(0, recordHeadSize - 1))).toBeUndefined();
    expect(decodeRecordHead(new KeyedHasher(new Uint8Array(32)), bytes)).toBeUndefined();
  });

  test.each([
    ['version', 4, 2],
    ['kind', 5, 3],
    ['kind', 5, 0],
    ['reserved byte', 7, 1],
    ['vote flag', 12 + 24, 2],
    ['number above 2^53', 12 + 8, 0xff],
  ])('of an unknown %s is refused although it is sound', (_, at, value) => {
    const head = bytes.subarray(0, recordHeadSize - 32).with(at, value);
    const sealed = concat([head, hasher.hash(head)]);
    expect(() => decodeRecordHead(hasher, sealed)).toThrow(refused);
  });
});

describe('the bodies of records', () => {
  test('snapshots and changes come back as they were', () => {
    for (const snapshot of [sampleStored().snapshot, sampleSnapshot(9)]) {
      expect(decodeBase(encodeBase(snapshot))).toEqual(snapshot);
    }
    for (const truncateFrom of [undefined, 4]) {
      const change = { truncateFrom, append: sampleEntries(4, 6) };
      expect(decodeEntries(encodeEntries(change))).toEqual(change);
    }
  });

  test('bytes too many or too few are refused', () => {
    const encoded = encodeEntries({ truncateFrom: 2, append: sampleEntries(2, 3) });
    for (let size = 0; size < encoded.length; size++) {
      expect(() => decodeEntries(encoded.subarray(0, size))).toThrow(refused);
    }
    expect(() => decodeEntries(concat([encoded, Uint8Array.of(0)]))).toThrow(refused);
    expect(() => decodeEntries(encoded.with(12 + 16, 4))).toThrow(refused);
    expect(() => decodeBase(encodeBase(sampleSnapshot(1)).subarray(0, 40))).toThrow(refused);
  });
});

describe('header and marks of a segment', () => {
  test('come back as they were, and not at all when damaged', () => {
    const salt = new Uint8Array(32).fill(5);
    const header = encodeHeader(salt);
    expect(decodeHeader(header)).toEqual(salt);
    const mark = encodeMark(hasher, { summary, hash });
    expect(decodeMark(hasher, mark)).toEqual({ summary, hash });
    for (let at = 0; at < mark.length; at++) {
      expect(decodeMark(hasher, mark.with(at, (mark[at] as number) ^ 1))).toBeUndefined();
      if (at >= header.length) continue;
      expect(decodeHeader(header.with(at, (header[at] as number) ^ 1))).toBeUndefined();
    }
  });
});

describe('JournalState', () => {
  test('takes a later hard state over, and stays below what was lost until the log has grown to it', () => {
    const state = new JournalState({ ...sampleStored(), entries: sampleEntries(1, 8) });
    state.lose({ ...summary, lastIndex: 5, lostUpTo: undefined, entryTerm: 1 });
    expect(state.stored()).toMatchObject({ hard: summary.hard, entries: sampleEntries(1, 4) });
    expect(state.lostUpTo).toBe(5);
    state.apply({ snapshot: sampleSnapshot(4) });
    expect(state.lostUpTo).toBe(5);
    state.apply({ append: sampleEntries(5, 5) });
    expect(state.lostUpTo).toBeUndefined();
  });

  test('keeps an earlier loss that reached further', () => {
    const state = new JournalState({ ...sampleStored(), entries: sampleEntries(1, 3) }, 9);
    state.lose({ ...summary, lastIndex: 4, lostUpTo: 9 });
    expect([state.lastIndex, state.lostUpTo]).toEqual([3, 9]);
    state.apply({ snapshot: sampleSnapshot(20) });
    expect(state.lostUpTo).toBeUndefined();
  });

  test('has lost nothing that matters once it ends in a later term', () => {
    const state = new JournalState({ ...sampleStored(), entries: sampleEntries(1, 3) });
    state.lose({ ...summary, lastIndex: 9, lostUpTo: undefined, entryTerm: 2 });
    expect(state.lostTerm).toBe(2);
    state.apply({ append: sampleEntries(4, 4, 2) });
    expect(state.lostUpTo).toBe(9);
    state.apply({ append: sampleEntries(5, 5, 3) });
    expect([state.lostUpTo, state.lostTerm]).toEqual([undefined, undefined]);
  });

  test('of which nobody knows the term stays damaged until it is as long', () => {
    const state = new JournalState({ ...sampleStored(), entries: sampleEntries(1, 3) });
    state.lose({ ...summary, lastIndex: 5, lostUpTo: undefined, entryTerm: undefined });
    state.apply({ append: sampleEntries(4, 4, 9) });
    expect([state.lostUpTo, state.lostTerm]).toEqual([5, undefined]);
    expect(state.summary(1).entryTerm).toBeUndefined();
    state.apply({ append: sampleEntries(5, 5, 9) });
    expect(state.lostUpTo).toBeUndefined();
    expect(state.summary(2).entryTerm).toBe(9);
  });

  test('says of every record which term its entries do not go beyond', () => {
    const state = new JournalState(sampleStored());
    expect(state.summary(1).entryTerm).toBeUndefined();
    state.apply({ append: sampleEntries(1, 2, 4) });
    expect(state.summary(2).entryTerm).toBe(4);
    state.apply({ truncateFrom: 1, append: sampleEntries(1, 1, 3) });
    expect(state.summary(3).entryTerm).toBe(3);
    state.lose({ ...summary, lastIndex: 1, lostUpTo: 7, entryTerm: 5 });
    expect(state.summary(4)).toMatchObject({ lostUpTo: 7, entryTerm: 5 });
  });

  test('has lost nothing of a newer generation', () => {
    const state = new JournalState({ ...sampleStored(), entries: sampleEntries(1, 3) }, 9);
    const hard = { generation: 2, term: 0, votedFor: undefined };
    state.apply({ hard, snapshot: sampleSnapshot(1) });
    expect([state.lastIndex, state.lostUpTo]).toEqual([1, undefined]);
  });

  test('has lost nothing when everything after the snapshot had been cut', () => {
    const stored = { ...sampleStored(), snapshot: sampleSnapshot(3), entries: sampleEntries(4, 6) };
    const state = new JournalState(stored);
    state.lose({ ...summary, lastIndex: 3, lostUpTo: undefined });
    expect([state.lastIndex, state.lostUpTo]).toEqual([3, undefined]);
  });
});
