import { expect, test } from 'vitest';
import { concat } from '../../../../src/base/bytes.ts';
import {
  byKind,
  decodeKeyRecord,
  encodeKeyRecord,
  type KeyRecord,
  recipientId,
} from '../../../../src/core/format/key-record.ts';
import { idOf } from '../../../../src/core/ids.ts';
import { filled } from './samples.ts';

const record: KeyRecord = {
  writer: idOf(filled(1)),
  dataset: idOf(filled(2, 16)),
  epoch: 3,
  kitVersion: 2,
  recipients: [recipientId('age1one'), recipientId('age1two')].sort(),
  files: [filled(4, 500), filled(5, 100)],
};

test('a record gives back what was put into it', () => {
  const { bytes } = encodeKeyRecord(record);
  expect(decodeKeyRecord(bytes)).toEqual(record);
});

test('a record stands as proto/README.md says', () => {
  const { bytes } = encodeKeyRecord({ ...record, recipients: [], files: [filled(9, 3)] });
  const head = [4, 1, ...filled(1), ...filled(2, 16), 0, 0, 0, 3, 0, 0, 0, 2, 0, 1];
  expect([...bytes]).toEqual([...head, 0, 0, 0, 3, ...filled(9, 3)]);
});

test('bytes that are no record are refused', () => {
  const { bytes } = encodeKeyRecord(record);
  const changed = (at: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };
  const bad = [
    changed(0, 3),
    changed(1, 2),
    changed(53, 0),
    changed(57, 0),
    changed(58, 99),
    changed(59, 0),
    bytes.subarray(0, -1),
    concat([bytes, Uint8Array.of(0)]),
    new Uint8Array(),
  ];
  for (const one of bad)
    expect(() => decodeKeyRecord(one)).toThrow(/key record|key epoch|kit version|count of/);
});

test('recipients stand in order, so that one set has one record head', () => {
  const { bytes } = encodeKeyRecord({ ...record, recipients: [...record.recipients].reverse() });
  expect(() => decodeKeyRecord(bytes)).toThrow('do not ascend');
});

test('a record that would be no fact any more is not made', () => {
  expect(() => encodeKeyRecord({ ...record, files: [filled(4, 70_000)] })).toThrow(
    'too many recipients',
  );
});

test('hybrid and classical recipients never share a file', () => {
  const all = ['age1pq1a', 'age1b', 'age1pq1c'];
  expect(byKind(all)).toEqual([['age1pq1a', 'age1pq1c'], ['age1b']]);
  expect(byKind(['age1b'])).toEqual([['age1b']]);
});
